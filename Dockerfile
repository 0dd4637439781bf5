# docker build -t dream-if .      for CPU and GPU alike: the PyTorch that pip takes has CUDA's libraries
# A smaller image for the CPU alone: add --build-arg PIP_EXTRA_INDEX_URL=... with the index that pytorch.org names for it.
# docker run --rm --user "$(id -u)" -v "$PWD:/work" dream-if fuse visible.jpg infrared.png -o fused.png
# On a GPU add --gpus all; the host needs NVIDIA's driver and container toolkit.
FROM python:3.12-slim
ARG PIP_EXTRA_INDEX_URL
COPY . /src
WORKDIR /src
RUN pip install --no-cache-dir --constraint constraints.txt ".[app,export,tables,video]"
# Whoever runs it may be any user, without a home.
ENV HOME=/tmp
USER 65534
WORKDIR /work
ENTRYPOINT ["dream-if"]
CMD ["--help"]
