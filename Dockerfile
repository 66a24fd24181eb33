FROM python:3.11-slim AS build
WORKDIR /doorstep
COPY requirements.lock pyproject.toml README.md ./
RUN python -m venv .venv && .venv/bin/pip install --no-cache-dir --require-hashes --no-deps -r requirements.lock
COPY bot bot
COPY nlu_data nlu_data
RUN .venv/bin/pip install --no-cache-dir --no-deps --no-build-isolation --editable . && .venv/bin/doorstep train && mkdir -p data/files

FROM python:3.11-slim
RUN useradd --create-home doorstep
WORKDIR /doorstep
COPY --from=build --chown=doorstep /doorstep /doorstep
USER doorstep
ENV PATH=/doorstep/.venv/bin:$PATH
EXPOSE 8080
CMD ["doorstep", "serve", "--host", "0.0.0.0"]
