"""The reference stack's API: FastAPI on PostgreSQL and Redis, as docs/reference-stack.md describes it."""

import asyncio
import hashlib
import json
import os
import secrets
import time
from contextlib import asynccontextmanager
from datetime import datetime, timezone
from typing import Annotated

import asyncpg
import httpx
import jwt
import redis.asyncio as redis
from fastapi import Depends, FastAPI, Header, HTTPException, Request, Response, WebSocket, WebSocketDisconnect
from fastapi.responses import JSONResponse, StreamingResponse
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, Counter, Gauge, Histogram, generate_latest
from pydantic import BaseModel, Field
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from description import describe

TOKEN_SECONDS = 30 * 60
COURSES_CACHED_SECONDS = 2
SECRET_KEY = os.environ["SECRET_KEY"]
ORCHESTRATOR = os.environ["ORCHESTRATOR_URL"]

# Every wait for another part is bounded, so that a part that is gone costs a quick 503 and not a pile of requests.
cache = redis.Redis.from_pool(
    redis.BlockingConnectionPool.from_url(
        os.environ["REDIS_URL"], decode_responses=True, max_connections=50, timeout=2,
        socket_timeout=1, socket_connect_timeout=1, retry=Retry(NoBackoff(), 1),
    )
)
http = httpx.AsyncClient(timeout=3)

REQUESTS = Counter("http_requests", "Requests by method, path and status.", ["method", "path", "status"])
SECONDS = Histogram("http_request_duration_seconds", "Time to the headers of the answer.", ["method", "path"])
AGENTS = Gauge("agents_healthy", "Workers that answer.")


class Database:
    """A pool that is made when it is first needed, so that the API starts, and recovers, without its database."""

    def __init__(self):
        self.pool = None
        self.making = asyncio.Lock()
        self.failed_at = float("-inf")

    async def ready_pool(self):
        if self.pool is None:
            async with self.making:
                # Those who waited while another one failed fail with it, or each would wait its own two seconds.
                if self.pool is None and time.monotonic() - self.failed_at < 0.5:
                    raise ConnectionError("the database could not be reached a moment ago")
                if self.pool is None:
                    self.pool = await self.new_pool()
        return self.pool

    async def new_pool(self):
        try:
            pool = await asyncpg.create_pool(
                os.environ["DATABASE_URL"], min_size=1, max_size=10, timeout=2, command_timeout=4
            )
            async with pool.acquire(timeout=2) as connection, connection.transaction():
                await prepare(connection)
            return pool
        except BaseException:
            self.failed_at = time.monotonic()
            raise

    async def row(self, query, *args):
        async with (await self.ready_pool()).acquire(timeout=5) as connection:
            return await connection.fetchrow(query, *args)

    async def rows(self, query, *args):
        async with (await self.ready_pool()).acquire(timeout=5) as connection:
            return await connection.fetch(query, *args)


database = Database()


def hashed(password, salt):
    # Real, but cheap: the load test is about the stack, not about the hash.
    return hashlib.scrypt(password.encode(), salt=salt, n=256, r=8, p=1).hex()


async def prepare(connection):
    """Makes tables and learners on the first start."""
    if await connection.fetchval("SELECT to_regclass('accounts')") is not None:
        return
    await connection.execute(
        """
        CREATE TABLE accounts (
            id bigserial PRIMARY KEY, email text UNIQUE NOT NULL, name text NOT NULL,
            salt bytea NOT NULL, password text NOT NULL);
        CREATE TABLE courses (
            id int PRIMARY KEY, title text NOT NULL, level text NOT NULL, language text NOT NULL);
        INSERT INTO courses VALUES (1, 'Spanish for travellers', 'A1', 'es'), (2, 'German at work', 'B1', 'de'),
            (3, 'Japanese in everyday life', 'A2', 'ja');
        """
    )
    for n in range(1, 41):
        salt = secrets.token_bytes(8)
        await connection.execute(
            "INSERT INTO accounts (email, name, salt, password) VALUES ($1, $2, $3, $4)",
            f"learner-{n:02}@example.test", f"Learner {n}", salt, hashed(os.environ["LEARNER_PASSWORD"], salt),
        )


@asynccontextmanager
async def lifespan(_):
    try:
        await database.ready_pool()
    except Exception:  # The first request tries again.
        pass
    yield


class Counted:
    """Counts and times each request; a plain ASGI layer, since the framework's own wraps every stream once more."""

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        began = time.perf_counter()

        async def send_counted(message):
            if message["type"] == "http.response.start":
                path = getattr(scope.get("route"), "path", "other")
                REQUESTS.labels(scope["method"], path, message["status"]).inc()
                SECONDS.labels(scope["method"], path).observe(time.perf_counter() - began)
            await send(message)

        await self.app(scope, receive, send_counted)


app = FastAPI(title="Reference stack", version="1.0.0", lifespan=lifespan)
app.add_middleware(Counted)


async def part_is_gone(_: Request, __: Exception):
    return JSONResponse({"detail": "Service temporarily unavailable"}, status_code=503)


async def broken(_: Request, __: Exception):
    return JSONResponse({"detail": "Internal Server Error"}, status_code=500)


for trouble in (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, RedisError):
    app.exception_handler(trouble)(part_is_gone)
app.exception_handler(Exception)(broken)


def now():
    return datetime.now(timezone.utc).isoformat()


# PostgreSQL holds no NUL in a text.
Text = Annotated[str, Field(max_length=200, pattern=r"^[^\x00]*$")]


class Registration(BaseModel):
    email: Annotated[str, Field(max_length=200, pattern=r"^[^@\s\x00]+@[^@\s\x00]+$")]
    password: Annotated[str, Field(min_length=8, max_length=200)]
    name: Text


class Credentials(BaseModel):
    email: Text
    password: Text


class Refresh(BaseModel):
    refresh_token: str


class Submission(BaseModel):
    answer: str


class Question(BaseModel):
    question: Annotated[str, Field(min_length=1, pattern=r"\S")]


# Accounts

UNAUTHORIZED = {401: {"description": "No, or no valid, Bearer token"}}
NOT_FOUND = {404: {"description": "There is no such thing"}}


async def tokens(account_id):
    """Opens a session in Redis; the two tokens name it and are worthless without it."""
    session = secrets.token_hex(12)
    await cache.set(f"session:{session}", account_id, ex=TOKEN_SECONDS)
    expires = int(time.time()) + TOKEN_SECONDS

    def token(use):
        claims = {"sub": str(account_id), "session": session, "use": use, "exp": expires}
        return jwt.encode(claims, SECRET_KEY, algorithm="HS256")

    return {"access_token": token("access"), "refresh_token": token("refresh"), "token_type": "bearer"}


async def account_of(token, use):
    """The account of a token that is valid for this use and whose session and account still exist."""
    try:
        claims = jwt.decode(token, SECRET_KEY, algorithms=["HS256"])
        if claims["use"] != use:
            return None
        session = claims["session"]
    except (jwt.InvalidTokenError, KeyError):
        return None
    account_id = await cache.get(f"session:{session}")
    if account_id is None:
        return None
    row = await database.row("SELECT id, email, name FROM accounts WHERE id = $1", int(account_id))
    return row and {**dict(row), "session": session}


async def bearer(authorization: str = Header(default="", include_in_schema=False)):
    scheme, _, token = authorization.partition(" ")
    account = await account_of(token, "access") if scheme.lower() == "bearer" else None
    if account is None:
        raise HTTPException(401, "Could not validate credentials", {"WWW-Authenticate": "Bearer"})
    return account


Account = Annotated[dict, Depends(bearer)]


@app.post("/auth/register", status_code=201, responses={400: {"description": "The e-mail is taken"}})
async def register(body: Registration):
    salt = secrets.token_bytes(8)
    row = await database.row(
        "INSERT INTO accounts (email, name, salt, password) VALUES ($1, $2, $3, $4) "
        "ON CONFLICT DO NOTHING RETURNING id, email, name",
        body.email, body.name, salt, hashed(body.password, salt),
    )
    if row is None:
        raise HTTPException(400, "Email already registered")
    return dict(row)


@app.post("/auth/login", responses={401: {"description": "Incorrect email or password"}})
async def login(body: Credentials):
    row = await database.row("SELECT id, salt, password FROM accounts WHERE email = $1", body.email)
    # An unknown e-mail costs as much as a wrong password, so that accounts can't be told by the time it takes.
    given = hashed(body.password, row["salt"] if row else b"nobody")
    if row is None or not secrets.compare_digest(row["password"], given):
        raise HTTPException(401, "Incorrect email or password")
    return await tokens(row["id"])


@app.post("/auth/refresh", responses=UNAUTHORIZED)
async def refresh(body: Refresh):
    account = await account_of(body.refresh_token, "refresh")
    if account is None:
        raise HTTPException(401, "Could not validate credentials")
    return await tokens(account["id"])


@app.get("/auth/profile", responses=UNAUTHORIZED)
async def profile(account: Account):
    return {key: account[key] for key in ("id", "email", "name")}


@app.post("/auth/logout", status_code=204, responses=UNAUTHORIZED)
async def logout(account: Account):
    await cache.delete(f"session:{account['session']}")


@app.delete("/auth/account", status_code=204, responses=UNAUTHORIZED)
async def delete_account(account: Account):
    # Sessions of an account that is gone are worth nothing (`account_of`) and expire by themselves.
    await database.row("DELETE FROM accounts WHERE id = $1", account["id"])
    await cache.delete(f"session:{account['session']}")


# Health

async def state_of(question):
    asked = asyncio.ensure_future(question)
    done, _ = await asyncio.wait([asked], timeout=1.5)
    # Not waited for once it is cancelled: with a database that hangs, giving up takes seconds as well.
    asked.cancel()
    return "connected" if done and asked.exception() is None else "unreachable"


async def health():
    began = time.perf_counter()
    db, kv = await asyncio.gather(state_of(database.row("SELECT 1")), state_of(cache.ping()))
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


async def aggregate(timeout=3):
    answer = await http.get(f"{ORCHESTRATOR}/agents/health", timeout=timeout)
    answer.raise_for_status()
    found = answer.json()
    AGENTS.set(found["summary"]["healthy_agents"])
    return found


@app.get("/api/agents/health", responses={503: {"description": "The orchestrator does not answer"}})
async def agents_health():
    try:
        return await aggregate()
    except (httpx.HTTPError, ValueError) as error:
        raise HTTPException(503, "The orchestrator does not answer") from error


@app.get("/api/agents/status", responses=UNAUTHORIZED)
async def agents_status(_: Account):
    began = time.perf_counter()
    try:
        found = await aggregate()
    except (httpx.HTTPError, ValueError):
        found = None
    milliseconds = round((time.perf_counter() - began) * 1000, 1)
    summary = found["summary"] if found else {"healthy_agents": 0, "total_agents": 3}
    healthy, total = summary["healthy_agents"], summary["total_agents"]
    return {
        "agents_enabled": True,
        "orchestrator_available": found is not None,
        "agent_health": found["agent_health"] if found else {},
        "system_status": "operational" if healthy == total else "degraded" if healthy else "offline",
        "metrics": {
            "healthy_agents": healthy,
            "total_agents": total,
            "health_percentage": round(100 * healthy / total, 1),
            # The orchestrator asks all three at once: what it takes is what the slowest takes.
            "average_response_time_ms": milliseconds,
        },
        "checked_at": now(),
    }


@app.get("/metrics", response_class=Response)
async def metrics():
    try:
        await aggregate(timeout=1.5)
    except (httpx.HTTPError, ValueError):
        AGENTS.set(0)
    return Response(generate_latest(), media_type=CONTENT_TYPE_PLAIN_0_0_4)


# Learning

LESSONS = {1: "Greetings", 2: "Numbers", 3: "At the station"}
EXERCISES = range(1, 10)


def number(text):
    """A path's number; one that no thing has, if it is none, so that the answer is 404 as for any other."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else -1


async def course_row(id):
    row = await database.row("SELECT id, title, level, language FROM courses WHERE id = $1", number(id))
    if row is None:
        raise HTTPException(404, "Course not found")
    return dict(row)


@app.get("/courses")
async def courses():
    cached = await cache.get("courses")
    if cached is None:
        rows = await database.rows("SELECT id, title, level, language FROM courses ORDER BY id")
        cached = json.dumps([dict(row) for row in rows])
        await cache.set("courses", cached, ex=COURSES_CACHED_SECONDS)
    return json.loads(cached)


@app.get("/courses/{id}", responses=NOT_FOUND)
async def course(id: str):
    modules = [
        {"id": 1, "title": "First words", "lessons": [{"id": n, "title": LESSONS[n]} for n in (1, 2)]},
        {"id": 2, "title": "Out and about", "lessons": [{"id": 3, "title": LESSONS[3]}]},
    ]
    return {**await course_row(id), "modules": modules}


@app.get("/courses/{id}/lessons/{lesson}", responses=UNAUTHORIZED | NOT_FOUND)
async def lesson(id: str, lesson: str, _: Account):
    found = await course_row(id)
    if number(lesson) not in LESSONS:
        raise HTTPException(404, "Lesson not found")
    return {
        "id": number(lesson),
        "course_id": found["id"],
        "title": LESSONS[number(lesson)],
        "content": "Read the dialogue aloud, then choose the answer that fits.",
        "exercises": [
            {
                "id": 1,
                "question": "Which greeting is used in the evening?",
                "options": {"a": "Buenos días", "b": "Buenas noches", "c": "Adiós"},
            }
        ],
    }


@app.post("/api/exercises/{id}/submit", responses=UNAUTHORIZED | NOT_FOUND)
async def submit(id: str, body: Submission, _: Account):
    if number(id) not in EXERCISES:
        raise HTTPException(404, "Exercise not found")
    correct = body.answer == "b"
    return {
        "exercise_id": number(id),
        "state": "graded",
        "correct": correct,
        "score": 100 if correct else 0,
        "feedback": "Well done." if correct else "Look at the dialogue again.",
    }


ANSWERS = [
    "Good question! Use it when you speak of wishes, doubts and things not real.",
    "Say it aloud three times, slowly, then write one sentence of your own with it.",
    "The ending follows the noun. Look at its gender first, then at the case the verb asks for.",
]


@app.post(
    "/api/tutor/ask", responses=UNAUTHORIZED | {200: {"content": {"text/event-stream": {}}}}, response_class=Response
)
async def ask(body: Question, _: Account):
    text = body.question
    words = ANSWERS[len(text) % len(ANSWERS)].split()

    async def answer():
        for n, word in enumerate(words):
            # 12 to 24 ms: a timer may be some milliseconds late, and the contract says 10 to 30.
            await asyncio.sleep(0.012 + (len(text) + 7 * n) % 13 / 1000)
            yield f"event: token\ndata: {json.dumps({'token': word + ' '})}\n\n"
        yield f"event: done\ndata: {json.dumps({'tokens': len(words)})}\n\n"

    return StreamingResponse(answer(), media_type="text/event-stream", headers={"Cache-Control": "no-store"})


@app.websocket("/api/agents/ws/{access_token}")
async def agents_socket(socket: WebSocket, access_token: str):
    account = await account_of(access_token, "access")
    if account is None:
        await socket.close(code=1008)  # Before the handshake is accepted, this answers 403.
        return
    await socket.accept()
    try:
        await socket.send_json({"type": "connection_established", "user_id": account["id"]})
        while True:
            reply = await reply_to(await socket.receive())
            if reply is not None:
                await socket.send_json(reply)
    except WebSocketDisconnect:
        pass


async def reply_to(received):
    """What one message of the socket is answered with; nothing for some."""
    if received["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(received.get("code", 1000))
    try:
        message = json.loads(received.get("text") or "")
    except ValueError:
        message = None
    kind = message.get("type") if isinstance(message, dict) else None
    if kind == "pong":
        return None
    if kind == "subscribe_workflow":
        done = {"workflow_id": message.get("workflow_id"), "status": "completed", "progress": 100}
        return {"type": "workflow_update", **done}
    if kind == "subscribe_health":
        try:
            found = await aggregate()
        except (httpx.HTTPError, ValueError):
            return {"type": "error", "message": "The orchestrator does not answer"}
        return {"type": "health_update", "agent_health": found["agent_health"], "summary": found["summary"]}
    return {"type": "error", "message": "Unknown message type"}


describe(app)
