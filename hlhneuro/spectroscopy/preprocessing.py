"""From raw coils and transients to one clean FID: each step leaves a record with its parameters.

References
----------
Near J et al. Preprocessing, analysis and quantification in single-voxel magnetic resonance spectroscopy: experts'
consensus recommendations. NMR Biomed 2021;34:e4257.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh, lstsq, svd

from hlhneuro.errors import InputError
from hlhneuro.settings import SpectraSettings
from hlhneuro.spectroscopy.spectra import REFERENCE_PPM, Spectrum, looks_conjugated

__all__ = ["Prepared", "align_transients", "correct_eddy_currents", "preprocess", "remove_water"]

_Complex = NDArray[np.complex128]
Record = tuple[str, Mapping[str, object]]


@dataclass(frozen=True)
class Prepared:
    """One averaged spectrum, its averaged water reference (if there is one) and the steps that made them."""

    spectrum: Spectrum
    water: Spectrum | None
    record: tuple[Record, ...]


def preprocess(spectrum: Spectrum, water: Spectrum | None, settings: SpectraSettings) -> Prepared:
    """Combine coils, align and average transients, correct eddy currents, remove residual water.

    Raises
    ------
    InputError
        If spectrum and water reference do not belong together, an axis is unknown or the data are conjugated.
    """
    if water is not None:
        _check_pair(spectrum, water, settings)
    record: list[Record] = []
    fid, reference = _combine_coils(spectrum, water, settings, record)
    spectrum = _average(fid, spectrum, settings, record, reject=True)
    if water is not None and reference is not None:
        water = _average(reference, water, settings, record, reject=False)
        if water.points != spectrum.points:
            water = water.with_fid(_fit_length(water.fid, spectrum.points))
        spectrum = spectrum.with_fid(correct_eddy_currents(spectrum.fid, water.fid))
        record.append(("eddy-current correction", {"method": "phase of the water reference (Klose 1990)"}))
    cleaned, removed = remove_water(spectrum, settings)
    record.append(("residual water removal", {"method": "HSVD in a narrow band", "removed": removed}))
    spectrum = spectrum.with_fid(cleaned)
    if looks_conjugated(spectrum, settings.conjugate_energy_ratio):
        raise InputError(
            "the metabolites lie on the wrong side of water: the data are conjugated",
            field="data",
            found="more signal at 5.1 to 9.1 ppm than at 0.2 to 4.2 ppm",
            remedy="convert the raw data again, or conjugate them (mrs_tools conjugate)",
        )
    return Prepared(spectrum, water, tuple(record))


def _check_pair(spectrum: Spectrum, water: Spectrum, settings: SpectraSettings) -> None:
    for name, own, other, tolerance in (
        ("dwell time", spectrum.dwell_time_s, water.dwell_time_s, 1e-3),
        ("SpectrometerFrequency", spectrum.spectrometer_frequency_mhz, water.spectrometer_frequency_mhz, 1e-2),
        ("EchoTime", spectrum.echo_time_s, water.echo_time_s, settings.water_echo_time_tolerance),
    ):
        if own is not None and other is not None and abs(own - other) > tolerance * abs(own):
            raise InputError(
                "the water reference was not acquired like the spectrum",
                field=name,
                found=f"{other:g}, the spectrum has {own:g}",
                remedy="give the water reference of this spectrum, or none",
            )


def _fit_length(fid: _Complex, points: int) -> _Complex:
    out = np.zeros(points, dtype=np.complex128)
    out[: min(points, fid.size)] = fid[:points]
    return out


# ------------------------------------------------------------------------------------------- coils, transients


def _combine_coils(
    spectrum: Spectrum, water: Spectrum | None, settings: SpectraSettings, record: list[Record]
) -> tuple[_Complex, _Complex | None]:
    """Return FIDs of shape (points, transients) of spectrum and water reference."""
    data = _as_coils(spectrum)
    reference = None if water is None else _as_coils(water)
    if reference is not None and reference.shape[1] != data.shape[1]:
        raise InputError(
            "spectrum and water reference were received with different coils",
            field="DIM_COIL",
            found=f"{reference.shape[1]} and {data.shape[1]} coils",
            remedy="give the water reference of this spectrum, combined in the same way",
        )
    if data.shape[1] == 1:
        return data[:, 0], None if reference is None else reference[:, 0]
    guide = (data if reference is None else reference).mean(axis=2)
    weights = _coil_weights(guide, data, settings)
    record.append(
        (
            "coil combination",
            {
                "method": "singular value decomposition of whitened signals",
                "coils": int(data.shape[1]),
                "weights_from": "spectrum" if reference is None else "water reference",
            },
        )
    )
    combined = np.einsum("pct,c->pt", data, weights)
    return combined, None if reference is None else np.einsum("pct,c->pt", reference, weights)


def _as_coils(spectrum: Spectrum) -> _Complex:
    """Return shape (points, coils, transients)."""
    fid, names = spectrum.fid, list(spectrum.dimensions)
    unknown = [n for n in names if n not in ("DIM_COIL", "DIM_DYN", "DIM_MEAS")]
    if unknown:
        raise InputError(
            "this axis of the data is not supported",
            field="dim",
            found=", ".join(unknown),
            remedy="give plain single-voxel data: coils and transients, not edited or multi-condition series",
        )
    if "DIM_COIL" in names:
        axis = 1 + names.index("DIM_COIL")
        fid = np.moveaxis(fid, axis, 1)
    else:
        fid = fid[:, None]
    return fid.reshape(fid.shape[0], fid.shape[1], -1)


def _coil_weights(guide: _Complex, data: _Complex, settings: SpectraSettings) -> _Complex:
    """Return complex weights that add the coils in phase with the greatest signal-to-noise ratio.

    References
    ----------
    Rodgers CT, Robson MD. Receive array magnetic resonance spectroscopy: whitened singular value decomposition (WSVD)
    gives optimal Bayesian solution. Magn Reson Med 2010;63:881.
    """
    tail = data[-max(32, data.shape[0] // 5) :]
    noise = np.moveaxis(tail - tail.mean(axis=0), 1, 0).reshape(data.shape[1], -1)
    covariance = noise @ noise.conj().T / noise.shape[1]
    values, vectors = eigh(covariance)
    values = np.clip(values, values[-1] * 1e-9 + 1e-300, None)
    whiten = vectors / np.sqrt(values)
    _, _, right = svd(guide[: settings.coil_points] @ whiten.conj(), full_matrices=False)
    weights = whiten.conj() @ right[0].conj()
    # Unit gain for the combined sensitivities keeps the signal's scale and puts the first point on the real axis.
    response = guide[: settings.coil_points] @ weights
    gain = np.sqrt(
        np.vdot(guide[: settings.coil_points], guide[: settings.coil_points]).real / np.vdot(response, response).real
    )
    return np.asarray(weights * gain * np.exp(-1j * np.angle(response[0])))


def _average(
    fids: _Complex, spectrum: Spectrum, settings: SpectraSettings, record: list[Record], *, reject: bool
) -> Spectrum:
    count = fids.shape[1]
    if count == 1:
        return spectrum.with_fid(fids[:, 0])
    aligned, shifts_hz, phases = align_transients(fids, spectrum.dwell_time_s, settings)
    keep = np.ones(count, dtype=bool)
    if reject and count >= 4:
        middle = np.median(aligned.real, axis=1) + 1j * np.median(aligned.imag, axis=1)
        distance = np.sqrt(np.sum(np.abs(aligned - middle[:, None]) ** 2, axis=0))
        spread = 1.4826 * np.median(np.abs(distance - np.median(distance)))
        limit = np.median(distance) * (1 + 1e-6) + settings.outlier_sd * spread
        keep = distance <= limit
    record.append(
        (
            "transients" if reject else "transients of the water reference",
            {
                "method": "spectral registration (Near 2015)",
                "count": count,
                "rejected": [int(i) for i in np.flatnonzero(~keep)],
                "drift_hz": round(float(np.ptp(shifts_hz)), 3),
                "phase_range_deg": round(float(np.rad2deg(np.ptp(phases))), 2),
            },
        )
    )
    return spectrum.with_fid(np.asarray(aligned[:, keep].mean(axis=1)))


def align_transients(
    fids: _Complex, dwell_time_s: float, settings: SpectraSettings
) -> tuple[_Complex, NDArray[np.float64], NDArray[np.float64]]:
    """Align frequency and phase of transients to their median.

    Parameters
    ----------
    fids : complex array, shape (points, transients)

    Returns
    -------
    aligned : complex array, shape (points, transients)
    shifts_hz, phases_rad : arrays, shape (transients,)
        What was taken away from each.

    References
    ----------
    Near J et al. Frequency and phase drift correction of magnetic resonance spectroscopy data by spectral registration
    in the time domain. Magn Reson Med 2015;73:44.
    """
    time = np.arange(fids.shape[0]) * dwell_time_s
    use = time <= settings.registration_window_s
    t = time[use]
    shifts, phases = np.zeros(fids.shape[1]), np.zeros(fids.shape[1])
    size = 8 * t.size
    aligned = fids
    for step in range(3):
        middle = np.median(aligned.real, axis=1) + 1j * np.median(aligned.imag, axis=1)
        reference = (fids[:, 0] if step == 0 else middle)[use]
        # The frequency at which conj(reference) * transient adds up in phase is its offset; a grid starts Newton.
        product = np.conj(reference)[:, None] * fids[use]
        if step == 0:
            peak = np.argmax(np.abs(np.fft.fft(product, size, axis=0)), axis=0)
            shifts = np.fft.fftfreq(size, dwell_time_s)[peak]
        for _ in range(8):
            rotated = product * np.exp(-2j * np.pi * t[:, None] * shifts)
            zero, one, two = rotated.sum(0), (t[:, None] * rotated).sum(0), (t[:, None] ** 2 * rotated).sum(0)
            # Maximise |zero|: first and second derivative of |zero|**2 with respect to the shift.
            first = 2 * np.real(np.conj(zero) * (-2j * np.pi) * one)
            second = 2 * np.real(np.abs(2 * np.pi * one) ** 2 - np.conj(zero) * (2 * np.pi) ** 2 * two)
            shifts = shifts - np.where(second < 0, first / second, 0.0)
        phases = np.angle((product * np.exp(-2j * np.pi * t[:, None] * shifts)).sum(0))
        aligned = fids * np.exp(-1j * (2 * np.pi * time[:, None] * shifts + phases))
    # The mean correction is zero, so that averaging moves nothing.
    mean_shift, mean_phase = float(np.mean(shifts)), float(np.angle(np.mean(np.exp(1j * phases))))
    aligned = aligned * np.exp(1j * (2 * np.pi * time * mean_shift + mean_phase))[:, None]
    return aligned, shifts - mean_shift, np.angle(np.exp(1j * (phases - mean_phase)))


# ------------------------------------------------------------------------------------- eddy currents, water


def correct_eddy_currents(fid: _Complex, water: _Complex) -> _Complex:
    """Take the phase of the water FID away from the spectrum's FID.

    Where the water signal has sunk into its noise, its phase goes on with the last reliable frequency.

    References
    ----------
    Klose U. In vivo proton spectroscopy in presence of eddy currents. Magn Reson Med 1990;14:26.
    """
    phase = np.unwrap(np.angle(water))
    tail = water[-max(16, water.size // 10) :]
    noise = np.sqrt(np.mean(np.abs(tail - tail.mean()) ** 2))
    reliable = np.flatnonzero(np.abs(water) < max(10.0 * noise, 0.02 * np.abs(water).max()))
    end = int(reliable[0]) if reliable.size else water.size
    if 32 <= end < water.size:
        index = np.arange(end // 2, end)
        slope = float(np.polynomial.Polynomial.fit(index, phase[index], 1).convert().coef[1])
        phase[end:] = phase[end - 1] + slope * np.arange(1, water.size - end + 1)
    return np.asarray(fid * np.exp(-1j * phase))


def remove_water(spectrum: Spectrum, settings: SpectraSettings) -> tuple[_Complex, float]:
    """Remove residual water, if it is the tallest signal, by a sum of damped sinusoids found in a narrow band about it.

    The band is cut out of the spectrum, so that the matrix to decompose has about a hundred rows.

    Returns
    -------
    fid : complex array, shape (points,)
    removed : float
        Part of the FID's energy that was taken away.

    References
    ----------
    Barkhuijsen H, de Beer R, van Ormondt D. J Magn Reson 1987;73:553. Pijnappel WWF et al. J Magn Reson 1992;97:122.
    """
    hz = spectrum.spectrometer_frequency_mhz
    whole = np.fft.fftshift(np.fft.fft(spectrum.fid))
    about_water = np.abs(spectrum.ppm - REFERENCE_PPM) <= settings.water_search_ppm
    metabolites = (spectrum.ppm > settings.fit_low_ppm) & (spectrum.ppm < settings.water_free_ppm)
    centre = int(np.argmax(np.where(about_water, np.abs(whole), 0.0)))
    if np.abs(whole[centre]) < settings.water_worth_removing * np.abs(whole[metabolites]).max():
        return spectrum.fid, 0.0  # what is there are metabolites, and the baseline takes the tail of a little water
    per_point = 1.0 / (spectrum.points * spectrum.dwell_time_s)
    half = round(settings.water_band_ppm * hz / per_point)
    half = min(half, centre, spectrum.points - centre - 1)
    if half < 16:
        return spectrum.fid, 0.0
    band = np.fft.ifft(np.fft.ifftshift(whole[centre - half : centre + half]))
    carrier_hz = float(spectrum.frequency_hz[centre])
    factor = spectrum.points / band.size  # one point of the band is this many of the FID
    poles = _hankel_poles(band[: max(32, (3 * band.size) // 4)], settings.water_components)
    frequency = np.angle(poles) / (2 * np.pi * factor * spectrum.dwell_time_s)
    decay = np.abs(poles)
    width = -np.log(np.clip(decay, 1e-3, 1 - 1e-12)) / (np.pi * factor * spectrum.dwell_time_s)
    narrow = width <= settings.water_half_width_ppm * hz  # broader components are the tails of something else
    within = (np.abs(frequency) <= settings.water_half_width_ppm * hz) & (decay < 1.0) & narrow
    if not within.any():
        return spectrum.fid, 0.0
    # Amplitudes come from the band with all poles present; only those of water are subtracted.
    usable = (decay < 1.02) & (decay > 1e-3)
    use = band.size * 3 // 4
    design = poles[usable] ** np.arange(use)[:, None]
    amplitude = np.asarray(lstsq(design, band[:use])[0])[within[usable]]
    chosen = poles[within]
    steps = np.arange(spectrum.points) / factor
    water = np.exp(np.log(chosen) * steps[:, None]) @ (amplitude / factor)
    water *= np.exp(2j * np.pi * carrier_hz * spectrum.time_s)
    cleaned = spectrum.fid - water
    removed = 1.0 - float(np.vdot(cleaned, cleaned).real / np.vdot(spectrum.fid, spectrum.fid).real)
    return np.asarray(cleaned), round(removed, 4)


def _hankel_poles(signal: _Complex, rank: int) -> _Complex:
    """Return the poles of a sum of damped exponentials from the shift invariance of its signal space."""
    rows = signal.size // 2
    hankel = np.lib.stride_tricks.sliding_window_view(signal, signal.size - rows + 1)
    left = svd(hankel, full_matrices=False)[0][:, : min(rank, rows - 1)]
    return np.asarray(np.linalg.eigvals(np.linalg.lstsq(left[:-1], left[1:], rcond=None)[0]))
