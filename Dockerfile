# CPU:  docker build -t dream-if .
# CUDA: docker build -t dream-if:cuda --build-arg TORCH_INDEX=https://pypi.org/simple .
# Use:  docker run --rm --user "$(id -u)" -v "$PWD:/work" dream-if fuse visible.jpg infrared.png -o fused.png
# On a GPU add --gpus all. PyTorch brings CUDA's libraries; the host needs NVIDIA's driver and container toolkit.
FROM python:3.12-slim
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
COPY . /src
WORKDIR /src
RUN pip install --no-cache-dir --constraint constraints.txt --extra-index-url "$TORCH_INDEX" ".[app,export,tables,video]"
# Whoever runs it may be any user, without a home.
ENV HOME=/tmp
USER 65534
WORKDIR /work
ENTRYPOINT ["dream-if"]
CMD ["--help"]
