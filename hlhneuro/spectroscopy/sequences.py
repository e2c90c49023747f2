"""When the pulses of a sequence come, and what of it had to be assumed."""

from __future__ import annotations

from dataclasses import dataclass

from hlhneuro.errors import StudyError
from hlhneuro.settings import SpectraSettings

__all__ = ["SEQUENCES", "SequenceTiming", "sequence_timing"]

SEQUENCES = ("laser", "press", "pulse-acquire", "slaser", "spin-echo", "steam")
_PULSES_PER_SLICE = {  # refocusing pulses of each slice direction, in order; adiabatic ones come in pairs
    "pulse-acquire": (),
    "spin-echo": (1,),
    "press": (1, 1),
    "slaser": (2, 2),
    "laser": (2, 2, 2),
}


@dataclass(frozen=True)
class SequenceTiming:
    """When the pulses of a sequence come.

    Parameters
    ----------
    name : str
        One of `SEQUENCES`.
    echo_time_s : float
        Zero for pulse-acquire.
    first_echo_s : float, optional
        TE1 of PRESS; the second echo is the rest.
    mixing_time_s : float, optional
        TM of STEAM.
    pulse_bandwidth_hz : float, optional
        Bandwidth of the refocusing pulses, taken to be rectangular; without it they reach every spin alike. Not for
        STEAM, which has none.
    """

    name: str
    echo_time_s: float
    first_echo_s: float | None = None
    mixing_time_s: float | None = None
    pulse_bandwidth_hz: float | None = None

    def __post_init__(self) -> None:
        if self.name not in SEQUENCES:
            raise ValueError(f"sequence {self.name!r} is not one of {', '.join(SEQUENCES)}")
        if self.name == "press" and not 0.0 < (self.first_echo_s or 0.0) < self.echo_time_s:
            raise ValueError("PRESS needs a first echo time between zero and the echo time")
        if self.name == "steam" and self.mixing_time_s is None:
            raise ValueError("STEAM needs a mixing time")
        if self.pulse_bandwidth_hz is not None:
            if not _PULSES_PER_SLICE.get(self.name):
                raise ValueError(f"{self.name} has no refocusing pulse that a bandwidth could be given for")
            if not self.pulse_bandwidth_hz > 0:
                raise ValueError("the bandwidth of a pulse is above zero")

    @property
    def delays_s(self) -> tuple[float, ...]:
        """Free evolution before, between and after the refocusing pulses; not for STEAM."""
        te = self.echo_time_s
        if self.name == "pulse-acquire":
            return ()
        if self.name == "press":
            first = self.first_echo_s or 0.0
            return first / 2, te / 2, (te - first) / 2
        pulses = sum(self.pulses_per_slice)
        step = te / (2 * pulses)
        return (step, *((2 * step,) * (pulses - 1)), step)

    @property
    def pulses_per_slice(self) -> tuple[int, ...]:
        """Number of refocusing pulses of each slice direction, in order; not for STEAM."""
        return _PULSES_PER_SLICE[self.name]

    @property
    def in_words(self) -> str:
        """The sequence and its times as a reader wants them."""
        parts = [self.name, f"TE {self.echo_time_s * 1e3:g} ms"]
        if self.first_echo_s is not None:
            parts.append(f"TE1 {self.first_echo_s * 1e3:g} ms")
        if self.mixing_time_s is not None:
            parts.append(f"TM {self.mixing_time_s * 1e3:g} ms")
        width = self.pulse_bandwidth_hz
        return ", ".join([*parts, "ideal pulses" if width is None else f"refocusing bandwidth {width:g} Hz"])


def sequence_timing(
    sequence: str,
    echo_time_s: float,
    first_echo_s: float | None,
    mixing_time_s: float | None,
    settings: SpectraSettings,
    *,
    pulse_bandwidth_hz: float | None = None,
) -> tuple[SequenceTiming, tuple[str, ...]]:
    """Return the timing of a sequence and, in sentences, what of it had to be assumed."""
    name = sequence.strip().lower()
    if name not in SEQUENCES:
        raise StudyError("unknown sequence", field="sequence", found=sequence, remedy=f"use: {', '.join(SEQUENCES)}")
    if not 0.0 <= echo_time_s <= settings.longest_echo_time_s or (echo_time_s == 0.0) != (name == "pulse-acquire"):
        raise StudyError(
            "the echo time does not suit the sequence",
            field="EchoTime",
            found=echo_time_s,
            remedy="give seconds (0.030), and zero for pulse-acquire only",
        )
    if pulse_bandwidth_hz is None and settings.refocusing_bandwidth_hz > 0 and _PULSES_PER_SLICE.get(name):
        pulse_bandwidth_hz = settings.refocusing_bandwidth_hz
    assumptions: list[str] = []
    if name == "press" and first_echo_s is None:
        first_echo_s = min(settings.press_first_echo_s, echo_time_s / 2)
        assumptions.append(f"PRESS first echo time not known: {first_echo_s * 1e3:g} ms assumed (expert-set)")
    if name == "steam" and mixing_time_s is None:
        mixing_time_s = settings.steam_mixing_time_s
        assumptions.append(f"STEAM mixing time not known: {mixing_time_s * 1e3:g} ms assumed (expert-set)")
    try:
        timing = SequenceTiming(
            name,
            float(echo_time_s),
            float(first_echo_s) if name == "press" and first_echo_s is not None else None,
            float(mixing_time_s) if name == "steam" and mixing_time_s is not None else None,
            pulse_bandwidth_hz,
        )
    except ValueError as error:
        raise StudyError(
            str(error), field="sequence", found=sequence, remedy="give a timing that is possible"
        ) from error
    return timing, tuple(assumptions)
