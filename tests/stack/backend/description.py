"""Completes the OpenAPI document with what FastAPI does not list: pages, assets, the socket, the document itself."""

PARAMETER = {"in": "path", "required": True, "schema": {"type": "string"}}


def operation(summary, kind, names=(), **more):
    answers = {"200": {"description": "Successful Response", "content": {kind: {}}}, **more}
    return {"get": {"summary": summary, "responses": answers, "parameters": [{"name": n, **PARAMETER} for n in names]}}


EXTRA = {
    "/": operation("The home page", "text/html"),
    "/learn": operation("The lessons page", "text/html"),
    "/_next/static/{build}/{file}": operation(
        "An asset of a page", "*/*", ["build", "file"], **{"404": {"description": "There is no such asset"}}
    ),
    "/openapi.json": operation("This document", "application/json"),
    "/api/agents/ws/{access_token}": {
        "get": {
            "summary": "WebSocket: news about agents and workflows",
            "parameters": [{"name": "access_token", **PARAMETER}],
            "responses": {
                "101": {"description": "Switching Protocols"}, "403": {"description": "The token is not valid"}
            },
        }
    },
}


def describe(app):
    """Puts EXTRA into the document that `app` serves."""
    made = app.openapi

    def complete():
        document = made()
        document["paths"] = {**EXTRA, **document["paths"]}
        return document

    app.openapi = complete
