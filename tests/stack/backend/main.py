"""The reference stack's API: FastAPI on PostgreSQL and Redis, as docs/reference-stack.md describes it."""

import asyncio
import hashlib
import json
import os
import secrets
import time
from contextlib import asynccontextmanager
from datetime import datetime, timezone

import asyncpg
import httpx
import redis.asyncio as redis
from fastapi import Depends, FastAPI, Header, HTTPException, Request, Response, WebSocket, WebSocketDisconnect
from fastapi.responses import JSONResponse, StreamingResponse
from prometheus_client import CONTENT_TYPE_LATEST, Counter, Gauge, Histogram, generate_latest
from pydantic import BaseModel, Field

TOKEN_SECONDS = 30 * 60
ORCHESTRATOR = os.environ["ORCHESTRATOR_URL"]
cache = redis.from_url(
    os.environ["REDIS_URL"], decode_responses=True, socket_timeout=2, socket_connect_timeout=2, max_connections=200
)
http = httpx.AsyncClient(timeout=3)

REQUESTS = Counter("http_requests", "Requests by method, path and status.", ["method", "path", "status"])
SECONDS = Histogram("http_request_duration_seconds", "Time to the headers of the answer.", ["method", "path"])
AGENTS = Gauge("agents_healthy", "Workers that answer.")


class Database:
    """A pool that is made when it is first needed, so that the API starts, and recovers, without its database."""

    def __init__(self):
        self.pool = None
        self.lock = asyncio.Lock()

    async def get(self):
        async with self.lock:
            if self.pool is None:
                self.pool = await asyncpg.create_pool(
                    os.environ["DATABASE_URL"], min_size=1, max_size=10, timeout=2, command_timeout=5
                )
                await prepare(self.pool)
        return self.pool

    async def fetchrow(self, query, *args):
        return await (await self.get()).fetchrow(query, *args)

    async def fetch(self, query, *args):
        return await (await self.get()).fetch(query, *args)

    async def execute(self, query, *args):
        return await (await self.get()).execute(query, *args)


database = Database()


def hashed(password, salt):
    # Real, but cheap: the load test is about the stack, not about the hash.
    return hashlib.scrypt(password.encode(), salt=salt, n=256, r=8, p=1).hex()


async def prepare(pool):
    async with pool.acquire() as connection:
        await connection.execute(
            """
            CREATE TABLE IF NOT EXISTS accounts (
                id bigserial PRIMARY KEY, email text UNIQUE NOT NULL, name text NOT NULL,
                salt bytea NOT NULL, password text NOT NULL);
            CREATE TABLE IF NOT EXISTS courses (
                id int PRIMARY KEY, title text NOT NULL, level text NOT NULL, language text NOT NULL);
            INSERT INTO courses VALUES (1, 'Spanish for travellers', 'A1', 'es'), (2, 'German at work', 'B1', 'de'),
                (3, 'Japanese in everyday life', 'A2', 'ja') ON CONFLICT DO NOTHING;
            """
        )
        for n in range(1, 41):
            salt = secrets.token_bytes(8)
            await connection.execute(
                "INSERT INTO accounts (email, name, salt, password) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
                f"learner-{n:02}@example.test", f"Learner {n}", salt, hashed(os.environ["LEARNER_PASSWORD"], salt),
            )


@asynccontextmanager
async def lifespan(_):
    try:
        await database.get()
    except Exception:  # The first request tries again.
        pass
    yield


app = FastAPI(title="Reference stack", version="1.0.0", lifespan=lifespan)


@app.middleware("http")
async def count(request: Request, call_next):
    began = time.perf_counter()
    response = await call_next(request)
    route = request.scope.get("route")
    path = getattr(route, "path", "other")
    REQUESTS.labels(request.method, path, response.status_code).inc()
    SECONDS.labels(request.method, path).observe(time.perf_counter() - began)
    return response


@app.exception_handler(Exception)
async def broken(_: Request, __: Exception):
    return JSONResponse({"detail": "Internal Server Error"}, status_code=500)


def now():
    return datetime.now(timezone.utc).isoformat()


class Registration(BaseModel):
    email: str = Field(pattern="@")
    password: str = Field(min_length=8)
    name: str


class Credentials(BaseModel):
    email: str
    password: str


class Refresh(BaseModel):
    refresh_token: str


class Submission(BaseModel):
    answer: str


class Question(BaseModel):
    question: str


async def who(token):
    email = await cache.get(f"token:{token}")
    return email and await database.fetchrow("SELECT id, email, name FROM accounts WHERE email = $1", email)


async def bearer(authorization: str = Header(default="")):
    scheme, _, token = authorization.partition(" ")
    account = await who(token) if scheme.lower() == "bearer" and token else None
    if not account:
        raise HTTPException(401, "Could not validate credentials")
    return {**dict(account), "token": token}


async def tokens(email):
    access, refresh = secrets.token_hex(16), secrets.token_hex(16)
    async with cache.pipeline(transaction=False) as pipe:
        pipe.set(f"token:{access}", email, ex=TOKEN_SECONDS)
        pipe.set(f"refresh:{refresh}", email, ex=TOKEN_SECONDS)
        await pipe.execute()
    return {"access_token": access, "refresh_token": refresh, "token_type": "bearer"}


async def health():
    began = time.perf_counter()

    async def asks(question):
        try:
            await asyncio.wait_for(question, 1.5)
            return "connected"
        except Exception:
            return "unreachable"

    db, kv = await asyncio.gather(asks(database.fetchrow("SELECT 1")), asks(cache.ping()))
    return {
        "status": "healthy" if db == kv == "connected" else "degraded",
        "timestamp": now(),
        "version": "1.0.0",
        "environment": os.environ.get("ENVIRONMENT", "staging"),
        "database": db,
        "redis": kv,
        "response_time_ms": round((time.perf_counter() - began) * 1000, 1),
        "cors_origins": [],
    }


app.get("/health")(health)
app.get("/api/health", operation_id="api_health")(health)


@app.get("/health/simple")
async def simple():
    return {"status": "healthy", "timestamp": now(), "message": "API is running"}


async def aggregate():
    answer = await http.get(f"{ORCHESTRATOR}/agents/health")
    answer.raise_for_status()
    found = answer.json()
    AGENTS.set(found["summary"]["healthy_agents"])
    return found


@app.get("/api/agents/health")
async def agents_health():
    try:
        return await aggregate()
    except httpx.HTTPError as error:
        raise HTTPException(503, "The orchestrator does not answer") from error


@app.get("/api/agents/status")
async def agents_status(_=Depends(bearer)):
    try:
        found = await aggregate()
    except httpx.HTTPError:
        found = {"agent_health": {}, "summary": {"healthy_agents": 0, "total_agents": 3, "all_healthy": False}}
    healthy, total = found["summary"]["healthy_agents"], found["summary"]["total_agents"]
    return {
        "agents_enabled": True,
        "orchestrator_available": bool(found["agent_health"]),
        "agent_health": found["agent_health"],
        "system_status": "operational" if healthy == total else "degraded" if healthy else "offline",
        "metrics": {
            "healthy_agents": healthy,
            "total_agents": total,
            "health_percentage": round(100 * healthy / total, 1),
            "average_response_time_ms": 1.0,
        },
        "checked_at": now(),
    }


@app.post("/auth/register", status_code=201)
async def register(body: Registration):
    salt = secrets.token_bytes(8)
    row = await database.fetchrow(
        "INSERT INTO accounts (email, name, salt, password) VALUES ($1, $2, $3, $4) "
        "ON CONFLICT DO NOTHING RETURNING id, email, name",
        body.email, body.name, salt, hashed(body.password, salt),
    )
    if row is None:
        raise HTTPException(400, "Email already registered")
    return dict(row)


@app.post("/auth/login")
async def login(body: Credentials):
    row = await database.fetchrow("SELECT email, salt, password FROM accounts WHERE email = $1", body.email)
    if row is None or not secrets.compare_digest(row["password"], hashed(body.password, row["salt"])):
        raise HTTPException(401, "Incorrect email or password")
    return await tokens(row["email"])


@app.post("/auth/refresh")
async def refresh(body: Refresh):
    email = await cache.get(f"refresh:{body.refresh_token}")
    if email is None:
        raise HTTPException(401, "Could not validate credentials")
    return await tokens(email)


@app.get("/auth/profile")
async def profile(account=Depends(bearer)):
    return {key: account[key] for key in ("id", "email", "name")}


@app.post("/auth/logout", status_code=204)
async def logout(account=Depends(bearer)):
    await cache.delete(f"token:{account['token']}")


@app.delete("/auth/account", status_code=204)
async def delete_account(account=Depends(bearer)):
    await database.execute("DELETE FROM accounts WHERE id = $1", account["id"])
    await cache.delete(f"token:{account['token']}")


@app.get("/courses")
async def courses():
    return [dict(row) for row in await database.fetch("SELECT id, title, level, language FROM courses ORDER BY id")]


@app.get("/courses/{course}")
async def course_detail(course: int):
    row = await database.fetchrow("SELECT id, title, level, language FROM courses WHERE id = $1", course)
    if row is None:
        raise HTTPException(404, "Course not found")
    modules = [
        {"id": 1, "title": "First words", "lessons": [{"id": 1, "title": "Greetings"}, {"id": 2, "title": "Numbers"}]},
        {"id": 2, "title": "Out and about", "lessons": [{"id": 3, "title": "At the station"}]},
    ]
    return {**dict(row), "modules": modules}


LESSONS = {1: "Greetings", 2: "Numbers", 3: "At the station"}


@app.get("/courses/{course}/lessons/{lesson}")
async def lesson_detail(course: int, lesson: int, _=Depends(bearer)):
    if lesson not in LESSONS or not 1 <= course <= 3:
        raise HTTPException(404, "Lesson not found")
    return {
        "id": lesson,
        "course_id": course,
        "title": LESSONS[lesson],
        "content": "Read the dialogue aloud, then choose the answer that fits.",
        "exercises": [
            {
                "id": 1,
                "question": "Which greeting is used in the evening?",
                "options": {"a": "Buenos días", "b": "Buenas noches", "c": "Adiós"},
            }
        ],
    }


@app.post("/api/exercises/{exercise}/submit")
async def submit(exercise: int, body: Submission, _=Depends(bearer)):
    if not 1 <= exercise <= 9:
        raise HTTPException(404, "Exercise not found")
    correct = body.answer == "b"
    return {
        "exercise_id": exercise,
        "state": "graded",
        "correct": correct,
        "score": 100 if correct else 0,
        "feedback": "Well done." if correct else "Look at the dialogue again.",
    }


WORDS = ["Good ", "question! ", "Use ", "it ", "when ", "you ", "speak ", "of ", "wishes, ", "doubts ", "and ", "dreams."]


@app.post("/api/tutor/ask")
async def ask(body: Question, _=Depends(bearer)):
    async def answer():
        for word in WORDS:
            await asyncio.sleep(0.01 + len(body.question) % 20 / 1000)
            yield f"event: token\ndata: {json.dumps({'token': word})}\n\n"
        yield f"event: done\ndata: {json.dumps({'tokens': len(WORDS)})}\n\n"

    return StreamingResponse(answer(), media_type="text/event-stream", headers={"Cache-Control": "no-store"})


@app.websocket("/api/agents/ws/{token}")
async def agents_socket(socket: WebSocket, token: str):
    account = await who(token)
    if not account:
        await socket.close(code=1008)  # Before the handshake is accepted, this answers 403.
        return
    await socket.accept()
    await socket.send_json({"type": "connection_established", "user_id": account["id"]})
    try:
        while True:
            try:
                message = json.loads(await socket.receive_text())
            except ValueError:
                message = {}
            kind = message.get("type") if isinstance(message, dict) else None
            if kind == "subscribe_health":
                found = await aggregate()
                update = {"agent_health": found["agent_health"], "summary": found["summary"]}
                await socket.send_json({"type": "health_update", **update})
            elif kind == "subscribe_workflow":
                done = {"workflow_id": message.get("workflow_id"), "status": "completed", "progress": 100}
                await socket.send_json({"type": "workflow_update", **done})
            elif kind != "pong":
                await socket.send_json({"type": "error", "message": "Unknown message type"})
    except WebSocketDisconnect:
        pass


@app.get("/metrics")
async def metrics():
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
