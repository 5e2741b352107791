"""POST /v1/embeddings: vectors as OpenAI's clients ask for them; the task is the model."""

from __future__ import annotations

import numpy as np
import orjson

from service.errors import RequestInvalidError, Violation
from service.http.call import Answer, Call, Route
from service.http.embeddings import embeddings_answer, embeddings_predict, read_embeddings


async def embeddings(call: Call) -> Answer:
    """As `:predict` of the task, logged like it."""
    request = read_embeddings(call.body)
    release = call.serving.releases.serving(request.model)
    if release.manifest.kind != "similarity":
        detail = f"Expected a task of kind similarity, found one of kind {release.manifest.kind}."
        raise RequestInvalidError([Violation("#/model", detail)])
    asked = embeddings_predict(request, release.manifest.spec.limits, release.hidden)
    predicted = await call.serving.predict(
        request.model, asked, call.started, deadline=call.deadline(), hung_up=call.receive
    )
    vectors = [np.asarray((one.fields or {})["embedding"], dtype=np.float32) for one in predicted.answers]
    tokens = sum(one.length for one in predicted.answers)
    answer = embeddings_answer(request.model, vectors, tokens, as_base64=request.base64)
    return Answer(200, orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY), task=request.model)


EMBEDDINGS_ROUTES = {"/v1/embeddings": Route("embeddings", "POST", embeddings)}
