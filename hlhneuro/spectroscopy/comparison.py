"""Which spectra may be compared: acquired alike, and from the same place."""

from __future__ import annotations

from hlhneuro.settings import PatternSettings
from hlhneuro.spectroscopy.results import SpectrumResult
from hlhneuro.spectroscopy.voxel import mirror_overlap, overlap

__all__ = ["acquired_alike", "comparable", "mirrored"]


def comparable(
    first: SpectrumResult, second: SpectrumResult, settings: PatternSettings
) -> tuple[bool, tuple[str, ...]]:
    """Tell whether two spectra of one patient may be compared over time.

    Parameters
    ----------
    first, second : SpectrumResult
        Of two sessions; their order does not matter.
    settings : PatternSettings

    Returns
    -------
    may : bool
        Only if echo time, sequence and field are known and alike, and the voxels overlap enough.
    reasons : tuple of str
        Sentences: what forbids it or, if nothing does, how much the voxels overlap. What is not known forbids it.
    """
    against = list(acquired_alike(first, second, settings))
    share, words = _overlap_in_words(first, second)
    if share is None or share < settings.overlap_least:
        against.append(words if share is None else f"{words}, less than {settings.overlap_least:.0%}")
    return (False, tuple(against)) if against else (True, (words,))


def mirrored(first: SpectrumResult, second: SpectrumResult, settings: PatternSettings) -> tuple[bool, tuple[str, ...]]:
    """Tell whether one spectrum of a session may serve as the mirror of another.

    Parameters
    ----------
    first, second : SpectrumResult
        Of one session; their order does not matter.
    settings : PatternSettings

    Returns
    -------
    may : bool
        Only if both were acquired alike and the mirrored voxel, where the mid-plane is known, overlaps enough.
    reasons : tuple of str
        What forbids it or, if nothing does, how much the voxel overlaps with its mirror image.
    """
    against = list(acquired_alike(first, second, settings))
    voxels = first.voxel, second.voxel
    share = None if voxels[0] is None or voxels[1] is None else mirror_overlap(voxels[0], voxels[1])
    if share is None:
        words = "how much of a mirror voxel it is cannot be told without a template: its label is believed"
    else:
        words = f"the voxel overlaps by {share:.0%} (Dice) with the mirror image of the other"
        if share < settings.mirror_overlap_least:
            against.append(f"{words}, less than {settings.mirror_overlap_least:.0%}")
    return (False, tuple(against)) if against else (True, (words,))


def acquired_alike(first: SpectrumResult, second: SpectrumResult, settings: PatternSettings) -> tuple[str, ...]:
    """Return why two spectra cannot stand beside each other wherever their voxels lie; empty if they can.

    Signals of coupled spins depend on echo time and sequence, T2 and the width of lines on the field: a ratio of one
    acquisition says nothing about the same ratio of another.
    """
    against = []
    echoes = first.echo_time_s, second.echo_time_s
    if echoes[0] is None or echoes[1] is None:
        against.append("the echo time is not known of both spectra")
    elif abs(echoes[0] - echoes[1]) > settings.echo_time_match_s:
        against.append(f"the echo times differ: {1e3 * echoes[0]:.0f} and {1e3 * echoes[1]:.0f} ms")
    if first.sequence is None or second.sequence is None:
        against.append("the sequence is not known of both spectra")
    elif first.sequence != second.sequence:
        against.append(f"the sequences differ: {first.sequence} and {second.sequence}")
    fields = first.field_t, second.field_t
    if fields[0] is None or fields[1] is None:
        against.append("the field is not known of both spectra")
    elif abs(fields[0] - fields[1]) > settings.field_match * max(fields[0], fields[1]):
        against.append(f"the fields differ: {fields[0]:.2f} and {fields[1]:.2f} T")
    return tuple(against)


def _overlap_in_words(first: SpectrumResult, second: SpectrumResult) -> tuple[float | None, str]:
    if first.voxel is None or second.voxel is None:
        session = first.session if first.voxel is None else second.session
        return None, f"how much the voxels overlap is not known: that of session {session} has no place on the anatomy"
    if first.voxel.mask.shape != second.voxel.mask.shape:
        return None, "how much the voxels overlap is not known: they were placed on different grids"
    share = overlap(first.voxel, second.voxel)
    return share, f"the voxels overlap by {share:.0%} (Dice)"
