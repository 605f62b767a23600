"""What a service logs of an answer, for tests that ask an engine without one."""

from foretaste.serving.logs.rows import RequestRow


def as_logged(engine, request, answer, **fields):
    """The row of an engine's answer; keyword arguments come on top."""
    told = {
        "endpoint": "/recommend",
        "status": 200,
        "latency_ms": 1.0,
        "user_id": request.user_id,
        "user_known": engine.knows(request.user_id),
        "asked": request.asked(),
        "model_version": answer.model_version,
        "policy": answer.policy,
        "recommendations": answer.items.item_ids,
        "scores": answer.items.scores,
        "propensities": answer.items.propensities,
    }
    return RequestRow(**{**told, **fields})
