"""FastAPI: POST /upgrade/ann, and /upgrade-async/ann with a tracker that is awaited

python examples/run.py fastapi     # with a Valkey, a worker and the sandbox
uvicorn --app-dir examples fastapi_app:app --port 8000
"""

from fastapi import FastAPI

from mixrelay.producer import AsyncTracker, Tracker
from mixrelay.producer.integrations.fastapi import CurrentTracker, MixrelayMiddleware

app = FastAPI()
app.add_middleware(MixrelayMiddleware, tracker=Tracker(), trusted_proxies=["127.0.0.1"])

# Connects at the first call, in each event loop anew.
awaited = AsyncTracker()


@app.post("/upgrade/{user}")
def upgrade(user: str, tracker: CurrentTracker) -> dict[str, str]:
    """Track three messages, which go to the queue together, after the response."""
    tracker.track(user, "Plan Upgraded", {"New Plan": "Premium"})
    tracker.people.set(user, {"Plan": "Premium"})
    tracker.people.plus_one(user, "Upgrades")
    return {"upgraded": user}


@app.post("/upgrade-async/{user}")
async def upgrade_async(user: str) -> dict[str, str]:
    """Do the same on the event loop; the block sends them together at its end."""
    async with awaited.batch():
        await awaited.track(user, "Plan Upgraded", {"New Plan": "Premium"})
        await awaited.people.set(user, {"Plan": "Premium"})
        await awaited.people.plus_one(user, "Upgrades")
    return {"upgraded": user}
