"""One agent of the reference stack; AGENT_NAME says which. The orchestrator asks the three workers live."""

import asyncio
import os
from datetime import datetime, timezone

import httpx
from fastapi import FastAPI, HTTPException

NAME = os.environ["AGENT_NAME"]
WORKERS = {
    "course-planner": os.environ.get("COURSE_PLANNER_URL", ""),
    "content-creator": os.environ.get("CONTENT_CREATOR_URL", ""),
    "quality-assurance": os.environ.get("QUALITY_ASSURANCE_URL", ""),
}
CAPABILITIES = {
    "course-planner": {"course_planning": True, "levels": ["A1", "A2", "B1", "B2"]},
    "content-creator": {"lessons": True, "exercises": True},
    "quality-assurance": {"review": True, "content_filter": True},
}
app = FastAPI(title=NAME, version="1.0.0")
http = httpx.AsyncClient(timeout=1)


def now():
    return datetime.now(timezone.utc).isoformat()


async def ask(name, url):
    entry = {"agent": name, "checked_at": now()}
    try:
        answer = (await http.get(f"{url}/health")).json()
        return {**entry, "healthy": answer.get("status") == "healthy", "response": answer}
    except (httpx.HTTPError, ValueError) as error:
        return {**entry, "healthy": False, "error": f"{type(error).__name__}: {error}"}


async def aggregate():
    entries = await asyncio.gather(*(ask(name, url) for name, url in WORKERS.items()))
    healthy = sum(entry["healthy"] for entry in entries)
    return {
        "agent_health": {entry["agent"]: entry for entry in entries},
        "summary": {
            "healthy_agents": healthy,
            "total_agents": len(entries),
            "all_healthy": healthy == len(entries),
            "system_status": "healthy" if healthy == len(entries) else "degraded",
        },
        "checked_at": now(),
    }


@app.get("/health")
async def health():
    answer = {"status": "healthy", "version": "1.0.0", "timestamp": now()}
    if NAME != "orchestrator":
        return {**answer, "agent": NAME, "capabilities": CAPABILITIES[NAME]}
    found = await aggregate()
    # The orchestrator itself works also when a worker does not: it says so, and stays healthy by its own word.
    return {**answer, "orchestrator": NAME, "agent_health": found["agent_health"]}


@app.get("/agents/health")
async def agents_health():
    if NAME != "orchestrator":
        raise HTTPException(404)
    return await aggregate()
