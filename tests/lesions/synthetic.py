"""Series whose lesions are known: tissue from the MNI152 maps, spheres added, noise drawn."""

from functools import cache

import numpy as np
from nilearn import datasets, image
from scipy import ndimage

from hlhneuro.imaging.alignment import AlignedSeries, AlignedSession
from hlhneuro.imaging.transforms import AffineTransform
from hlhneuro.imaging.volumes import Grid, Volume

# Normalised intensity of grey matter, white matter, fluid, and what a lesion adds at its centre.
TISSUE = {"FLAIR": (1.15, 1.0, 0.4), "T2w": (1.3, 1.0, 2.2), "T1w": (0.8, 1.0, 0.35)}
LESION = {"FLAIR": 0.5, "T2w": 0.6, "T1w": -0.25}
NOISE = 0.05
AROUND_MM = 8.0  # as alignment leaves it
EYE = AffineTransform(np.eye(4))
SPHERES = {"left": ((-28.0, -10.0, 30.0), 7.0), "right": ((28.0, 10.0, 26.0), 6.0), "pons": ((5.0, -28.0, -32.0), 5.0)}


@cache
def template(step_mm=2):
    """Return grid, brain and tissue maps at that voxel size, cut to the brain and its surroundings."""
    gm = image.load_img(datasets.load_mni152_gm_template(resolution=step_mm))
    wm = datasets.load_mni152_wm_template(resolution=step_mm).get_fdata(dtype=np.float32)
    brain = datasets.load_mni152_brain_mask(resolution=step_mm).get_fdata() > 0.5
    maps = {"gm": np.clip(gm.get_fdata(dtype=np.float32), 0, 1) * brain, "wm": np.clip(wm, 0, 1) * brain}
    maps["csf"] = np.clip(brain - maps["gm"] - maps["wm"], 0, 1).astype(np.float32)
    margin = round(AROUND_MM / step_mm)
    box = tuple(slice(max(s.start - margin, 0), s.stop + margin) for s in ndimage.find_objects(brain.astype(int))[0])
    affine = gm.affine @ np.array(
        [[1, 0, 0, box[0].start], [0, 1, 0, box[1].start], [0, 0, 1, box[2].start], [0, 0, 0, 1.0]]
    )
    maps = {name: np.ascontiguousarray(data[box]) for name, data in maps.items()}
    return Grid(brain[box].shape, affine), np.ascontiguousarray(brain[box]), maps


def sphere(grid, centre_mm, radius_mm):
    """Return the fraction of each voxel that lies in the sphere (one-voxel ramp)."""
    index = (np.linalg.solve(grid.affine, (*centre_mm, 1.0))[:3]).reshape(3, 1, 1, 1)
    distance = np.sqrt(sum((i - c) ** 2 for i, c in zip(np.ogrid[tuple(map(slice, grid.shape))], index, strict=True)))
    distance = distance * grid.voxel_size_mm[0]  # isotropic
    return np.clip((radius_mm - distance) / grid.voxel_size_mm[0] + 0.5, 0, 1).astype(np.float32)


def session(label, spheres, seed, contrasts=("FLAIR", "T1w", "T2w"), extra=None, step_mm=2):
    """Make one session; spheres are (centre in mm, radius in mm)."""
    grid, brain, maps = template(step_mm)
    rng = np.random.default_rng(seed)
    lesion = np.zeros(grid.shape, np.float32)
    for centre, radius in spheres:
        lesion = np.maximum(lesion, sphere(grid, centre, radius))
    volumes = {}
    for contrast in contrasts:
        data = sum(value * maps[t] for value, t in zip(TISSUE[contrast], ("gm", "wm", "csf"), strict=True))
        data = ndimage.gaussian_filter(data, 0.3) + LESION[contrast] * lesion
        data = (data + rng.normal(0, NOISE, grid.shape)) * brain
        volumes[contrast] = Volume(data.astype(np.float32), grid.affine, contrast)
    for name, data in (extra or {}).items():
        volumes[name] = Volume(data.astype(np.float32), grid.affine, name)
    everywhere = {c: np.ones(grid.shape, bool) for c in volumes}
    same, grids = dict.fromkeys(volumes, EYE), dict.fromkeys(volumes, grid)
    noise = dict.fromkeys(volumes, NOISE)
    return AlignedSession(label, contrasts[0], volumes, brain, everywhere, same, grids, noise)


def series(*sessions):
    """Put sessions together."""
    steps_mm = {round(volume.grid.voxel_size_mm[0]) for one in sessions for volume in one.volumes.values()}
    grid, brain, maps = template(*steps_mm)
    return AlignedSeries(grid, tuple(sessions), brain, EYE, maps)


def truth(spheres):
    """Return voxels that are more than half lesion."""
    grid = template()[0]
    return np.logical_or.reduce([sphere(grid, c, r) > 0.5 for c, r in spheres])


def dice(a, b):
    """Return the Dice overlap."""
    return 2 * (a & b).sum() / max(a.sum() + b.sum(), 1)
