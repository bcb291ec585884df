"""Schemathesis, imported with what it imports when it runs, and Unicode sorted by hypothesis: 3 s of a process."""

import hypothesis.strategies as st
import schemathesis.cli
import schemathesis.cli.commands.run.executor
import schemathesis.engine.run.unit
import schemathesis.specs.openapi.schemas  # noqa: F401

st.text().validate()
