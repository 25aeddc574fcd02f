"""A LangGraph agent with fake nodes: the graph's own spans come from its instrumentation, the run's from the SDK.

    python examples/langgraph_agent.py --endpoint http://localhost:4317

Every node is a step; ``make_provenance`` says which code made the result. What is asked and answered stays here.
"""

from __future__ import annotations

import argparse
import sys
from typing import TypedDict

from langgraph.graph import END, START, StateGraph

from agenttracer import AgentTracer, current_step, make_provenance, plan, respond, retrieve, tool


class State(TypedDict, total=False):
    """What goes from node to node."""

    question: str
    needs_order: bool
    documents: list[str]
    order: dict[str, str]
    answer: str


@plan("choose_actions")
def choose(state: State) -> State:
    """Decides whether the order is needed."""
    return {"needs_order": "parcel" in state["question"]}


@retrieve("search_kb")
def search(state: State) -> State:
    """Looks into the knowledge base."""
    current_step().add_metadata({"result_count": 2})
    return {"documents": ["doc-1", "doc-2"]}


@tool("order_service")
def look_up_order(state: State) -> State:
    """Asks the order service; fails for an order that isn't there."""
    if "lost" in state["question"]:
        raise TimeoutError("no answer about the lost parcel")
    return {"order": {"status": "on its way"}}


@respond("answer", metadata={"model": "small-1", "provider": "openai"})
def answer(state: State) -> State:
    """What a model would write."""
    current_step().add_metadata({"input_tokens": 120, "output_tokens": 12, "finish_reason": "stop"})
    return {"answer": "It is on its way."}


def build_graph() -> StateGraph:
    """choose → search → (look_up_order) → answer."""
    graph = StateGraph(State)
    graph.add_node("choose", choose)
    graph.add_node("search", search)
    graph.add_node("look_up_order", look_up_order)
    graph.add_node("respond", answer)
    graph.add_edge(START, "choose")
    graph.add_edge("choose", "search")
    graph.add_conditional_edges(
        "search", lambda state: "look_up_order" if state["needs_order"] else "respond"
    )
    graph.add_edge("look_up_order", "respond")
    graph.add_edge("respond", END)
    return graph


def main() -> int:
    """Ask three questions; 0 when everything that was recorded was sent."""
    parser = argparse.ArgumentParser(description="A LangGraph agent that reports its runs.")
    parser.add_argument("--endpoint", default="http://localhost:4317", help="OTLP address of the collector")
    options = parser.parse_args()

    tracer = AgentTracer("langgraph-support", "1.0.0", options.endpoint)
    graph = build_graph().compile()
    provenance = make_provenance("small-1", provider="openai", seed=7)
    for question in ("What do you sell?", "Where is my parcel?", "Where is my lost parcel?"):
        run = tracer.start_run(input={"question": question}, provenance=provenance)
        try:
            with run:
                graph.invoke({"question": question})
        except TimeoutError:
            pass  # the next question; the run has recorded the failure
        print(f"{run.id}  {run.status}", flush=True)
    sent = tracer.flush(timeout_seconds=10)
    tracer.close()
    return 0 if sent else 1


if __name__ == "__main__":
    sys.exit(main())
