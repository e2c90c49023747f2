"""Basis: the FIDs a spectrum is fitted with; simulate them, check them against the data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from hlhneuro.errors import InputError, StudyError
from hlhneuro.settings import SpectraSettings
from hlhneuro.spectroscopy.sequences import SEQUENCES, SequenceTiming, sequence_timing
from hlhneuro.spectroscopy.simulation import lines_to_fid, simulate_group
from hlhneuro.spectroscopy.spectra import REFERENCE_PPM, Spectrum
from hlhneuro.spectroscopy.spin_systems import load_broad_signals, load_metabolites, metabolite_name

__all__ = ["Basis", "add_broad_signals", "check_basis_fits", "simulate_basis"]

_DECAYED = 1e-2  # part of its start that the end of a damped FID holds at most
_PROTON_MHZ_PER_T = 42.577478518  # CODATA 2018, shielded by nothing: enough for a nominal field


@dataclass(frozen=True)
class Basis:
    """Time-domain basis functions.

    Parameters
    ----------
    names : tuple of str
    fids : complex array, shape (functions, points)
        NIfTI-MRS sign convention, one unit of concentration each; a simulated metabolite starts at its proton count.
    dwell_time_s, spectrometer_frequency_mhz : float
    kinds : tuple of str
        ``metabolite``, ``lipid`` or ``macromolecule`` per function.
    echo_time_s : float, optional
        None where the file does not say.
    sequence : str, optional
    reference_ppm : float
        Shift at zero frequency.
    source : str
        Where it comes from.
    assumptions : tuple of str
        What had to be assumed to make or read it, in sentences.
    """

    names: tuple[str, ...]
    fids: NDArray[np.complex128]
    dwell_time_s: float
    spectrometer_frequency_mhz: float
    kinds: tuple[str, ...]
    echo_time_s: float | None
    sequence: str | None
    reference_ppm: float = REFERENCE_PPM
    source: str = ""
    assumptions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.fids.ndim != 2 or not len(self.names) == len(self.kinds) == self.fids.shape[0]:
            raise ValueError("names, kinds and fids of a basis must have the same length")
        if len(set(self.names)) != len(self.names):
            raise ValueError(f"a basis names each function once, this one has {sorted(self.names)}")

    @property
    def points(self) -> int:
        """Number of samples of each FID."""
        return int(self.fids.shape[1])

    @property
    def ppm(self) -> NDArray[np.float64]:
        """Chemical shift of each point of ``numpy.fft.fft`` of a FID."""
        hz = np.fft.fftfreq(self.points, self.dwell_time_s)
        return np.asarray(self.reference_ppm - hz / self.spectrometer_frequency_mhz)

    def fid(self, name: str) -> NDArray[np.complex128]:
        """Return the FID of that name; KeyError where there is none."""
        try:
            return np.asarray(self.fids[self.names.index(name)])
        except ValueError:
            raise KeyError(name) from None

    def select(self, names: Sequence[str]) -> Basis:
        """Return a basis of these functions only, in this order."""
        index = [self.names.index(name) for name in names]
        return replace(self, names=tuple(names), fids=self.fids[index], kinds=tuple(self.kinds[i] for i in index))

    @property
    def lasts_s(self) -> float:
        """Time that the FIDs cover; infinite where they have decayed before their end."""
        tail = self.fids[:, -max(1, self.points // 10) :]
        decayed = np.linalg.norm(tail) <= _DECAYED * np.linalg.norm(self.fids[:, : tail.shape[1]])
        return float("inf") if decayed else self.points * self.dwell_time_s

    def resampled(self, dwell_time_s: float, points: int, spectrometer_frequency_mhz: float) -> Basis:
        """Return the basis on another time axis and at a slightly different field (shifts keep their ppm).

        Zero frequency is then at 4.65 ppm, where NIfTI-MRS has it.
        """
        stretch = spectrometer_frequency_mhz / self.spectrometer_frequency_mhz
        same = np.isclose(stretch, 1.0, rtol=1e-9) and np.isclose(dwell_time_s, self.dwell_time_s, rtol=1e-6)
        fids = np.zeros((len(self.names), points), dtype=np.complex128)
        if same:
            n = min(points, self.points)
            fids[:, :n] = self.fids[:, :n]
        else:
            own = np.arange(self.points) * self.dwell_time_s
            wanted = np.arange(points) * dwell_time_s * stretch
            inside = wanted <= own[-1]
            from scipy.interpolate import make_interp_spline  # here and not above: it takes long to load

            # Brain signals fill a third of the bandwidth or less, where a spline of this order is exact to 1e-4.
            fids[:, inside] = make_interp_spline(own, self.fids.T, k=7)(wanted[inside]).T
        if self.reference_ppm != REFERENCE_PPM:
            moved_hz = (self.reference_ppm - REFERENCE_PPM) * spectrometer_frequency_mhz
            fids *= np.exp(-2j * np.pi * moved_hz * dwell_time_s * np.arange(points))
        return replace(
            self,
            fids=fids,
            dwell_time_s=dwell_time_s,
            spectrometer_frequency_mhz=spectrometer_frequency_mhz,
            reference_ppm=REFERENCE_PPM,
        )


def simulate_basis(
    sequence: str,
    echo_time_s: float,
    *,
    dwell_time_s: float,
    points: int,
    spectrometer_frequency_mhz: float | None = None,
    field_t: float | None = None,
    first_echo_s: float | None = None,
    mixing_time_s: float | None = None,
    pulse_bandwidth_hz: float | None = None,
    names: Sequence[str] | None = None,
    settings: SpectraSettings = SpectraSettings(),  # noqa: B008  (frozen)
) -> Basis:
    """Simulate the metabolites of a sequence, undamped.

    Pulses turn every spin that they reach by exactly 90 or 180 degrees. With a bandwidth, a refocusing pulse reaches
    spins of different shift in different places, which at long echo times takes signal from coupled spins: lactate
    at TE 144 ms loses 1 - p^2 + (1 - p)^2 of its doublet, p being the overlap of the slices of its CH3 and CH.

    Parameters
    ----------
    sequence : str
        ``press``, ``steam``, ``slaser``, ``laser``, ``spin-echo`` or ``pulse-acquire``.
    echo_time_s : float
        Echo time; zero only for pulse-acquire.
    dwell_time_s : float
    points : int
    spectrometer_frequency_mhz, field_t : float, optional
        One of them.
    first_echo_s, mixing_time_s : float, optional
        TE1 of PRESS and TM of STEAM; from `settings` where unknown, which `Basis.assumptions` then says.
    pulse_bandwidth_hz : float, optional
        Bandwidth of the refocusing pulses; `SpectraSettings.refocusing_bandwidth_hz` where left out and the sequence
        has such pulses, unlimited if that is zero.
    names : sequence of str, optional
        Metabolites, under any name that the data file knows; `SpectraSettings.basis_metabolites` by default.

    Returns
    -------
    Basis
        Without lipid and macromolecule signals (see `add_broad_signals`).

    Raises
    ------
    StudyError
        If the sequence, a metabolite or the field is unknown or out of range.

    References
    ----------
    Govindaraju V, Young K, Maudsley AA. NMR Biomed 2000;13:129-153, and the papers in the data file.
    Lange T, Dydak U, Roberts TPL, et al. AJNR Am J Neuroradiol 2006;27:895-901 (lactate at 3 T).
    """
    frequency = _frequency(spectrometer_frequency_mhz, field_t)
    for what, value in (("dwell time", dwell_time_s), ("number of points", points)):
        if not value > 0:
            raise StudyError(f"the {what} is not above zero", found=value, remedy=f"give a {what} that is")
    timing, assumptions = sequence_timing(
        sequence, echo_time_s, first_echo_s, mixing_time_s, settings, pulse_bandwidth_hz=pulse_bandwidth_hz
    )
    wanted = tuple(dict.fromkeys(map(metabolite_name, settings.basis_metabolites if names is None else names)))
    unknown = [name for name in wanted if name not in load_metabolites()]
    if unknown:
        raise StudyError(
            "no spin system of that name", found=", ".join(unknown), remedy=f"use: {', '.join(load_metabolites())}"
        )
    fids = np.stack([_metabolite_fid(name, timing, frequency, dwell_time_s, points) for name in wanted])
    return Basis(
        names=wanted,
        fids=fids,
        dwell_time_s=dwell_time_s,
        spectrometer_frequency_mhz=frequency,
        kinds=("metabolite",) * len(wanted),
        echo_time_s=echo_time_s,
        sequence=timing.name,
        source=f"simulated: {timing.in_words}, {frequency:g} MHz",
        assumptions=assumptions,
    )


@lru_cache(maxsize=512)
def _metabolite_fid(
    name: str, timing: SequenceTiming, frequency_mhz: float, dwell_time_s: float, points: int
) -> NDArray[np.complex128]:
    fid = np.zeros(points, dtype=np.complex128)
    with _threads().limit(limits=1):  # kept for the whole process: it must not depend on who asked first
        for group in load_metabolites()[name].groups:
            fid += lines_to_fid(simulate_group(group, timing, frequency_mhz, REFERENCE_PPM), dwell_time_s, points)
    fid.flags.writeable = False  # shared by every basis that asks for it
    return fid


@cache
def _threads() -> ThreadpoolController:
    return ThreadpoolController()  # looks through every loaded library, which takes longer than a small molecule


def _frequency(spectrometer_frequency_mhz: float | None, field_t: float | None) -> float:
    if (spectrometer_frequency_mhz is None) == (field_t is None):
        raise StudyError(
            "the field of the basis is not given once", remedy="give either the proton frequency (MHz) or the field (T)"
        )
    frequency = spectrometer_frequency_mhz if field_t is None else field_t * _PROTON_MHZ_PER_T
    if frequency is None or not 20.0 <= frequency <= 1000.0:
        raise StudyError(
            "the field is outside the range of proton spectroscopy",
            found=frequency,
            remedy="give MHz for the frequency (123.2 at 3 T) or tesla for the field",
        )
    return float(frequency)


def add_broad_signals(basis: Basis, kinds: Sequence[str] = ("lipid", "macromolecule")) -> Basis:
    """Return the basis with Gaussian lipid and macromolecule signals of `kinds` added.

    A kind that the basis has already (measured macromolecules) is left as it is.
    """
    kinds = [kind for kind in kinds if kind not in basis.kinds]
    signals = [signal for signal in load_broad_signals().values() if signal.kind in kinds]
    if not signals:
        return basis
    time = np.arange(basis.points) * basis.dwell_time_s
    fids = np.zeros((len(signals), basis.points), dtype=np.complex128)
    for fid, signal in zip(fids, signals, strict=True):
        for shift_ppm, width_ppm, protons in signal.lines:
            hz = (shift_ppm - basis.reference_ppm) * basis.spectrometer_frequency_mhz
            decay = (np.pi * width_ppm * basis.spectrometer_frequency_mhz * time) ** 2 / (4 * np.log(2))
            fid += protons * np.exp(-2j * np.pi * hz * time - decay)
    return replace(
        basis,
        names=(*basis.names, *(signal.name for signal in signals)),
        kinds=(*basis.kinds, *(signal.kind for signal in signals)),
        fids=np.concatenate([basis.fids, fids]),
    )


def check_basis_fits(basis: Basis, spectrum: Spectrum, settings: SpectraSettings) -> tuple[Basis, tuple[str, ...]]:
    """Return the basis on the spectrum's time axis, with notes on what could not be checked.

    Raises
    ------
    InputError
        If field, echo time or sequence are not those of the spectrum, or the basis covers too few frequencies or
        too short a time.
    """
    ratio = spectrum.spectrometer_frequency_mhz / basis.spectrometer_frequency_mhz
    if abs(ratio - 1) > settings.basis_field_tolerance:
        raise _does_not_fit(
            "SpectrometerFrequency",
            f"the basis is for {basis.spectrometer_frequency_mhz:g} MHz, the spectrum was acquired at "
            f"{spectrum.spectrometer_frequency_mhz:g} MHz",
            "field",
        )
    _check_coverage(basis, spectrum, settings)
    notes = [*basis.assumptions, *_check_sequence(basis, spectrum, settings)]
    fitted = basis.resampled(spectrum.dwell_time_s, spectrum.fid.shape[0], spectrum.spectrometer_frequency_mhz)
    return fitted, tuple(notes)


def _check_sequence(basis: Basis, spectrum: Spectrum, settings: SpectraSettings) -> list[str]:
    notes = []
    if basis.echo_time_s is None:
        notes.append("the basis does not say its echo time: taken to be that of the spectrum")
    elif spectrum.echo_time_s is None:
        notes.append("the spectrum does not say its echo time: taken to be that of the basis")
    elif abs(basis.echo_time_s - spectrum.echo_time_s) > settings.basis_echo_time_tolerance_s:
        raise _does_not_fit(
            "EchoTime",
            f"the basis is for an echo time of {basis.echo_time_s * 1e3:g} ms, the spectrum has "
            f"{spectrum.echo_time_s * 1e3:g} ms",
            "echo time",
        )
    if basis.sequence and spectrum.sequence and basis.sequence != spectrum.sequence:
        difference = f"the basis is for {basis.sequence}, the spectrum says {spectrum.sequence}"
        if {basis.sequence, spectrum.sequence} <= set(SEQUENCES):
            raise _does_not_fit("PulseSequenceType", difference, "sequence")
        notes.append(difference)
    return notes


def _check_coverage(basis: Basis, spectrum: Spectrum, settings: SpectraSettings) -> None:
    lowest_ppm = basis.reference_ppm - 0.5 / basis.dwell_time_s / basis.spectrometer_frequency_mhz
    if lowest_ppm > settings.fit_low_ppm:
        raise _does_not_fit(
            "DwellTime",
            f"the basis reaches down to {lowest_ppm:.2f} ppm only, the fit to {settings.fit_low_ppm:g} ppm",
            "bandwidth",
        )
    needed_s = min(spectrum.fid.shape[0] * spectrum.dwell_time_s, settings.basis_shortest_s)
    if basis.lasts_s < needed_s * (1 - 1e-3):
        raise _does_not_fit(
            "NumberOfPoints",
            f"the basis lasts {basis.lasts_s:.3g} s and has not decayed by then, the spectrum needs {needed_s:.3g} s",
            "length",
        )


def _does_not_fit(field: str, problem: str, what: str) -> InputError:
    return InputError(problem, field=field, remedy=f"give a basis of this {what}, or none: it is then simulated")
