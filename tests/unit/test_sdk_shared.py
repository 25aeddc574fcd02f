"""The process's shared providers: made once, joined by tracers, released and made again."""

from tests.sdk_fakes import grpc_collector
from tests.unit.test_sdk_setup import run_program


def test_a_tracer_without_address_joins_what_is_shared() -> None:
    """Its runs and the libraries' spans go one way; closing it leaves the shared ones open."""
    with grpc_collector() as collector:
        run_program(f"""
            from agenttracer import AgentTracer
            from agenttracer.instrumentation.shared import release, share_signals, shared
            signals = share_signals("http://127.0.0.1:{collector.port}", service_name="shop")
            assert signals is share_signals() is shared()
            tracer = AgentTracer("support")
            with tracer.start_run(run_id="r1"):
                with signals.tracer_provider.get_tracer("library").start_as_current_span("call"):
                    pass
            tracer.close()
            with signals.tracer_provider.get_tracer("library").start_as_current_span("later"):
                pass
            assert release(10)
            assert shared() is None
        """)

    spans = {span.name: span for span in collector.spans}
    assert {"call", "invoke_agent support", "later"} == spans.keys()
    assert "r1" in [
        pair.value.string_value for pair in spans["call"].attributes if pair.key == "agent.run.id"
    ]


def test_what_was_released_can_be_shared_again_behind_the_same_provider() -> None:
    """The global provider can't be set twice: the first one gets a new queue, and drops nothing silently."""
    with grpc_collector() as collector:
        run_program(f"""
            from opentelemetry import trace
            from agenttracer import AgentTracer
            from agenttracer.instrumentation.shared import release, share_signals
            first = share_signals("http://127.0.0.1:{collector.port}")
            trace.set_tracer_provider(first.tracer_provider)
            assert release(10)
            with trace.get_tracer("x").start_as_current_span("lost"):
                pass
            assert 1 == first.span_queue.stats().dropped["closed"]
            again = share_signals("http://127.0.0.1:{collector.port}")
            assert again.tracer_provider is first.tracer_provider
            with trace.get_tracer("x").start_as_current_span("kept"):
                pass
            with AgentTracer("support").start_run():
                pass
        """)

    assert ["kept", "invoke_agent support"] == [span.name for span in collector.spans]


def test_a_programs_own_provider_is_shared_as_it_is() -> None:
    """Nothing of ours is put in its place or behind it."""
    output, _ = run_program("""
        from opentelemetry import trace
        from opentelemetry.sdk.trace import TracerProvider
        provider = TracerProvider()
        trace.set_tracer_provider(provider)
        from agenttracer.instrumentation.shared import release, share_signals
        signals = share_signals()
        print(signals.tracer_provider is provider, signals.queues, release(1))
        print(trace.get_tracer_provider() is provider)
    """)

    assert ["True () True", "True"] == output.splitlines()
