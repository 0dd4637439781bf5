"""The card of published weights: what they are, do and may be used for, on the Hugging Face hub."""

from collections.abc import Iterator, Mapping
from typing import Any

from huggingface_hub import ModelCardData

__all__ = ["card", "score_table"]


def card(name: str, told: Mapping[str, Any]) -> str:
    """The README.md of a repository of the hub that holds these weights.

    Args:
        name: of the weights.
        told: what their JSON says. ``scores`` (condition -> set -> metric -> value) and ``scored_by``, the
            commands that printed them, may be missing.

    Returns:
        Markdown, with the metadata that the hub reads in front.
    """
    sets = [*map(str, told["data"].get("root") or ["generated scenes"])]
    metadata = ModelCardData(
        model_name=name,
        library_name="dream-if",
        license="other",
        license_name="see-terms-below",
        pipeline_tag="image-to-image",
        tags=["image-fusion", "infrared", "thermal", "pytorch"],
    )
    return "\n".join(
        [
            "---",
            metadata.to_yaml(),
            "---",
            "",
            f"# {name}",
            "",
            "Fuses a visible and an infrared picture of one scene, which must be registered and of equal size. Not for",
            "measuring temperatures, and not for deciding about people.",
            "",
            f"    dream-if fuse visible.jpg infrared.png -o fused.png --weights {name}.safetensors",
            "",
            f"* Parameters: {told['parameters']:,}",
            f"* Trained on: {', '.join(sets)}",
            f"* Terms: {told['terms'] or 'none stated; those of the data may hold'}",
            f"* SHA-256 of the weights: `{told['sha256']}`",
            *_training(told["training"]),
            *score_table(told),
            "",
        ]
    )


def _training(told: Mapping[str, Any]) -> Iterator[str]:
    versions = ", ".join(f"{name} {number}" for name, number in (told["versions"] or {}).items())
    yield f"* Training: {told['epochs']} epochs, {told['steps']} steps, seed {told['seed']}, on {told['hardware']}"
    yield f"* Made with: {versions}{', commit ' + told['commit'] if told['commit'] else ''}"


def score_table(told: Mapping[str, Any]) -> Iterator[str]:
    """Scores on test sets, a table for each condition; nothing where none were written down."""
    for condition, sets in told.get("scores", {}).items():
        metrics = list(next(iter(sets.values())))
        yield from ("", f"| {condition} | {' | '.join(metrics)} |", f"|---|{'---:|' * len(metrics)}")
        for name, values in sets.items():
            yield f"| {name} | {' | '.join(f'{values[metric]:.3f}' for metric in metrics)} |"
    if "scored_by" in told:
        yield from ("", f"Means over images, by {' and '.join(f'`{command}`' for command in told['scored_by'])}.")
