"""A customer-support agent with a fake model, to have runs to look at.

    python examples/customer_support_agent.py --endpoint http://localhost:4317 --runs 20 --seed 7

It plans, searches a knowledge base, calls an order service with retries, and answers. Some runs go wrong, as
they do: the service times out, a retry saves it, the search finds nothing, the model's provider says "slow down",
a user gives up. The same seed gives the same stories. Questions and answers stay in this process.
"""

import argparse
import random
import sys
import time
from dataclasses import dataclass

from agenttracer import AgentTracer, Run

MODELS = (("openai", "gpt-4.1-mini"), ("anthropic", "claude-sonnet-4-5"))


class RateLimitError(Exception):
    """What a model's client raises for HTTP 429."""

    status_code = 429


@dataclass(frozen=True)
class Story:
    """What goes wrong in a run, and how often it comes up."""

    name: str
    weight: int
    order_service_failures: int = 0
    documents: int = 3
    model_is_busy: bool = False
    user_gives_up: bool = False


STORIES = (
    Story("all goes well", 10),
    Story("the order service times out", 2, order_service_failures=3),
    Story("a retry reaches the order service", 3, order_service_failures=1),
    Story("the search finds nothing", 2, documents=0),
    Story("the model's provider is busy", 2, model_is_busy=True),
    Story("the user gives up", 1, user_gives_up=True),
)


class FakeModel:
    """Answers after a few milliseconds, with token counts and no text."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self.provider, self.name = chance.choice(MODELS)

    def complete(self, is_busy: bool = False) -> dict[str, object]:
        """The call's metadata; raises ``RateLimitError``."""
        work(self._chance, 8)
        if is_busy:
            raise RateLimitError
        return {
            "input_tokens": self._chance.randint(200, 1500),
            "output_tokens": self._chance.randint(20, 300),
            "finish_reason": "stop",
        }


def work(chance: random.Random, milliseconds: float) -> None:
    """Take about so long."""
    time.sleep(chance.uniform(0.5, 1.5) * milliseconds / 1000)


def look_up_order(chance: random.Random, fails: bool) -> int:
    """The order service's HTTP status; raises ``TimeoutError``."""
    work(chance, 3)
    if fails:
        raise TimeoutError
    return 200


def support(run: Run, story: Story, chance: random.Random) -> None:
    """Handle one question."""
    model = FakeModel(chance)
    called = {"model": model.name, "provider": model.provider}

    with run.step("plan", "choose_actions") as plan, plan.step("model", "planner", metadata=called) as step:
        step.add_metadata(model.complete())

    with run.step("retrieve", "search_kb") as step:
        work(chance, 4)
        step.add_metadata({"result_count": story.documents})
        if not story.documents:
            step.fail("empty_retrieval")  # the agent still answers: the run is partial

    if story.user_gives_up:
        run.cancel()
        return

    try:
        for attempt in run.attempts("order_service", 3):
            with attempt as step:
                status = look_up_order(chance, fails=attempt.number <= story.order_service_failures)
                step.add_metadata({"http_status": status})
    except TimeoutError:
        run.record_failure("tool", "timeout", message="no answer from the order service in 3 attempts")
        return

    with run.step("respond", "answer", metadata=called) as step:
        step.add_metadata(model.complete(is_busy=story.model_is_busy))


def choose_stories(count: int, chance: random.Random) -> list[Story]:
    """So many stories in random order, each at least once when there is room."""
    weights = [story.weight for story in STORIES]
    stories = [*STORIES, *chance.choices(STORIES, weights, k=max(0, count - len(STORIES)))][:count]
    chance.shuffle(stories)
    return stories


def main() -> int:
    """Run the agent; 0 when everything it recorded was sent."""
    parser = argparse.ArgumentParser(
        description="An example agent, with a fake model, that reports its runs."
    )
    parser.add_argument("--endpoint", default="http://localhost:4317", help="OTLP address of the collector")
    parser.add_argument("--runs", type=int, default=20, help="how many questions to handle")
    parser.add_argument("--seed", type=int, default=7, help="the same seed gives the same stories")
    options = parser.parse_args()

    chance = random.Random(options.seed)
    tracer = AgentTracer("customer-support", "1.4.0", options.endpoint, environment="demo")
    for number, story in enumerate(choose_stories(options.runs, chance)):
        run = tracer.start_run(
            run_id=tracer.queue_run(),
            user_id=f"customer-{chance.randint(1, 5)}",
            conversation_id=f"chat-{options.seed}-{number}",
            metadata={"channel": chance.choice(("web", "phone", "mail"))},
        )
        try:
            with run:
                support(run, story, chance)
        except RateLimitError:
            pass  # the program goes on to the next question; the run has recorded the failure
        print(f"{run.id}  {run.status:<9}  {story.name}", flush=True)

    sent = tracer.flush(timeout_seconds=10)
    tracer.close()
    if not sent:
        print(f"not everything reached {options.endpoint}: is a collector listening there?", file=sys.stderr)
    return 0 if sent else 1


if __name__ == "__main__":
    sys.exit(main())
