"""The only place that knows the order of the stages: ingest, advance, plan, push, recover, mirror.

Every stage is an `advance` over durable state, so start-up is the recovery path. Speaks to the store and the org
through `syncd.ports` only; may be imported by app, daemon, wiring and the faces.
"""
