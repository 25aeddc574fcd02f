"""A server that answers like OpenAI's: it calls the first tool it is offered once, then answers.

with fake_openai() as base_url: ...

A model called ``broken`` is answered with 429, and ``absent`` with 404.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from zero_code import secret


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if asked["model"] in ("broken", "absent"):
            status = 429 if asked["model"] == "broken" else 404
            self._answer(status, {"error": {"message": secret("model error"), "type": "x", "code": "y"}})
        elif self.path.endswith("/responses"):
            self._answer(200, _response(asked))
        else:
            self._answer(200, _completion(asked))

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *arguments: Any) -> None:
        """Say nothing."""


def _completion(asked: dict[str, Any]) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": secret("answer")}
    reason, tools = "stop", asked.get("tools")
    if tools and not any(each["role"] == "tool" for each in asked["messages"]):
        function = {"name": tools[0]["function"]["name"], "arguments": _arguments()}
        message |= {
            "content": None,
            "tool_calls": [{"id": "call_1", "type": "function", "function": function}],
        }
        reason = "tool_calls"
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": f"{asked['model']}-2026",
        "choices": [{"index": 0, "message": message, "finish_reason": reason}],
        "usage": {"prompt_tokens": 12, "completion_tokens": 7, "total_tokens": 19},
    }


def _response(asked: dict[str, Any]) -> dict[str, Any]:
    called = any(
        each.get("type") == "function_call_output" for each in asked["input"] if isinstance(each, dict)
    )
    text = {"type": "output_text", "text": secret("answer"), "annotations": []}
    output: dict[str, Any] = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed"}
    output["content"] = [text]
    if asked.get("tools") and not called:
        name = asked["tools"][0]["name"]
        output = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": name}
        output |= {"arguments": _arguments(), "status": "completed"}
    details = {"input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0}}
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1,
        "model": f"{asked['model']}-2026",
        "status": "completed",
        "output": [output],
        "parallel_tool_calls": False,
        "tool_choice": "auto",
        "tools": [],
        "usage": {"input_tokens": 12, "output_tokens": 7, "total_tokens": 19, **details},
    }


def _arguments() -> str:
    return json.dumps({"query": secret("tool argument")})


@contextmanager
def fake_openai() -> Iterator[str]:
    """The server's base URL."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        server.server_close()
