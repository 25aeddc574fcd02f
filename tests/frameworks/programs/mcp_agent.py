"""An agent with MCP's tools: a plan, a retrieval, a tool that fails, one that answers, one that isn't there."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import Any

from zero_code import finish, secret, switch_on

switch_on()

import mcp  # noqa: E402

from agenttracer import AgentTracer  # noqa: E402

try:
    from mcp.server.mcpserver import MCPServer as Server  # 2
except ImportError:
    from mcp.server.fastmcp import FastMCP as Server  # 1

tracer = AgentTracer("support", "1.0.0")
server = Server("orders")


@server.tool()
def order_service(query: str) -> str:
    """CANARY-tool description"""
    raise TimeoutError(secret("tool error"))


@server.tool()
def greet(name: str) -> str:
    """CANARY-tool description"""
    return secret("tool result")


@asynccontextmanager
async def connected() -> Any:
    """A client of the server in this process."""
    if hasattr(mcp, "Client"):
        async with mcp.Client(server) as client:
            yield client
    else:
        from mcp.shared.memory import create_connected_server_and_client_session

        async with create_connected_server_and_client_session(server._mcp_server) as client:
            yield client


async def work() -> None:
    """One run of the agent."""
    async with connected() as client:
        with tracer.start_run() as run:
            with run.step("plan", "choose_actions"):
                pass
            with run.step("retrieve", "search_kb") as step:
                step.add_metadata({"result_count": 2})
            for name in ("order_service", "greet", "absent_tool"):
                await client.call_tool(
                    name, {"query": secret("tool argument"), "name": secret("tool argument")}
                )
            with run.step("model", "answer") as step:
                step.add_metadata({"model": "small-1", "input_tokens": 12, "output_tokens": 7})


asyncio.run(work())
finish()
