"""Numbers that the paper prints, to stand beside ours."""

__all__ = [
    "OURS",
    "SOURCE",
    "TABLE_1",
    "TABLE_1_NOTE",
    "TABLE_2",
    "TABLE_2_NOTE",
    "TABLE_3",
    "TABLE_3_NOTE",
    "TABLE_4",
    "TABLE_4_NOTE",
    "TABLE_5",
    "TABLE_5_NOTE",
]

SOURCE = "Xu et al., Dream-IF: Dynamic Relative EnhAnceMent for Image Fusion, arXiv:2503.10109, 2025"

# Row of the ablation -> metric -> value. The metrics are those of the corrected header, see TABLE_4_NOTE.
TABLE_4 = {
    "base": {"AG": 5.402, "SF": 18.032, "Qabf": 0.627, "SSIM": 1.181, "VIFF": 0.736},
    "rd": {"AG": 5.638, "SF": 18.594, "Qabf": 0.659, "SSIM": 1.185, "VIFF": 0.756},
    "rd_ce": {"AG": 5.642, "SF": 18.633, "Qabf": 0.675, "SSIM": 1.193, "VIFF": 0.770},
    "rd_se": {"AG": 5.746, "SF": 19.446, "Qabf": 0.668, "SSIM": 1.191, "VIFF": 0.797},
    "rd_ce_se": {"AG": 5.926, "SF": 19.992, "Qabf": 0.679, "SSIM": 1.198, "VIFF": 0.800},
}

TABLE_4_NOTE = (
    f"Columns headed paper: Table 4 of {SOURCE}, on LLVIP without degradation, one number for each row. Its header "
    "reads EI, AG, PSNR, Qabf, VIFF. That must be a slip: its last row equals, digit for digit, the LLVIP row of "
    "Dream-IF in Table 1, whose header reads AG, SF, Qabf, SSIM, VIFF. These names are used here. The paper's 70 "
    "test pairs and the size at which it scored them are not public, so compare how rows differ rather than how high "
    "they are."
)


OURS = "Dream-IF"
"""What the paper calls its own method."""

_FIVE = ("AG", "SF", "Qabf", "SSIM", "VIFF")

_TABLE_1 = {
    "LLVIP": {
        "TarDAL": (4.921, 18.207, 0.410, 1.080, 0.537),
        "CDDFuse": (5.403, 18.495, 0.582, 1.184, 0.660),
        "EMMA": (5.560, 17.190, 0.552, 1.192, 0.648),
        "Text-IF": (5.682, 17.718, 0.640, 1.074, 0.813),
        "TTD": (5.509, 19.914, 0.627, 1.196, 0.730),
        "Text-DiFuse": (4.848, 15.528, 0.403, 1.045, 0.524),
        "FusionBooster": (5.476, 15.464, 0.407, 0.978, 0.551),
        "Dream-IF": (5.926, 19.992, 0.679, 1.198, 0.800),
    },
    "MSRS": {
        "TarDAL": (1.914, 5.944, 0.170, 0.930, 0.380),
        "CDDFuse": (3.779, 11.570, 0.585, 1.303, 0.717),
        "EMMA": (3.775, 11.559, 0.621, 1.324, 0.738),
        "Text-IF": (3.801, 11.868, 0.624, 1.117, 0.867),
        "TTD": (3.705, 11.527, 0.549, 1.349, 0.656),
        "Text-DiFuse": (3.842, 11.506, 0.436, 0.935, 0.703),
        "FusionBooster": (3.208, 9.012, 0.420, 1.043, 0.630),
        "Dream-IF": (3.962, 12.293, 0.631, 1.362, 0.849),
    },
    "M3FD": {
        "TarDAL": (4.331, 15.766, 0.292, 0.731, 0.486),
        "CDDFuse": (4.800, 14.709, 0.521, 1.379, 0.578),
        "EMMA": (5.362, 15.304, 0.590, 1.377, 0.711),
        "Text-IF": (5.034, 15.494, 0.644, 1.339, 0.637),
        "TTD": (5.022, 15.254, 0.519, 1.367, 0.607),
        "Text-DiFuse": (2.810, 8.465, 0.149, 1.122, 0.165),
        "FusionBooster": (3.559, 10.245, 0.396, 1.297, 0.515),
        "Dream-IF": (5.124, 16.198, 0.614, 1.387, 0.704),
    },
}

_TABLE_2 = {
    "TarDAL": (4.745, 17.337, 0.266, 0.503, 0.256),
    "CDDFuse": (4.530, 15.929, 0.523, 1.179, 0.618),
    "EMMA": (4.593, 14.818, 0.499, 1.186, 0.592),
    "Text-IF": (4.863, 16.554, 0.536, 1.156, 0.609),
    "TTD": (4.948, 16.637, 0.489, 1.144, 0.533),
    "Text-DiFuse": (4.084, 13.777, 0.364, 1.049, 0.490),
    "FusionBooster": (4.524, 13.401, 0.380, 1.017, 0.533),
    "Dream-IF": (5.243, 17.441, 0.580, 1.186, 0.705),
}

TABLE_1 = {
    name: {method: dict(zip(_FIVE, values, strict=True)) for method, values in rows.items()}
    for name, rows in _TABLE_1.items()
}
"""Set -> method -> metric -> value, without degradation."""

TABLE_1_NOTE = (
    f"Rows that begin with paper: Table 1 of {SOURCE}. Its 70 test pairs of LLVIP and the sizes at which it scored are "
    "not public, so the distance is between different images."
)

TABLE_2 = {method: dict(zip(_FIVE, values, strict=True)) for method, values in _TABLE_2.items()}
"""Method -> metric -> value, on LLVIP with random degradations; all but Dream-IF after SCUNet."""

TABLE_2_NOTE = (
    f"Rows that begin with paper: Table 2 of {SOURCE}, LLVIP with random degradations that it does not describe "
    "fully. There all methods but Dream-IF fuse sources restored by SCUNet, which can be a restorer here too, by "
    "class_path or as a folder. The caption of the paper's table names no set; its text names LLVIP."
)

TABLE_3 = {
    "Text-IF*": {"rain": 0.273, "gaussian": 0.275, "poisson": 0.275, "speckle": 0.270, "blur": 0.269, "resize": 0.244},
    "Text-DiFuse": {
        "rain": 0.296, "gaussian": 0.291, "poisson": 0.268, "speckle": 0.266, "blur": 0.290, "resize": 0.268,
    },
    "Dream-IF": {"rain": 0.241, "gaussian": 0.255, "poisson": 0.242, "speckle": 0.240, "blur": 0.260, "resize": 0.241},
}  # fmt: skip
"""Method -> degradation -> LPIPS, lower is better."""

TABLE_3_NOTE = (
    f"Rows that begin with paper: Table 3 of {SOURCE}. It names neither the reference images of its LPIPS nor levels "
    "other than sigma 35 for Gaussian noise, so two references are computed here. Text-IF* was told the kind of "
    "degradation."
)

TABLE_5 = {
    "TarDAL": (0.8850, 0.9495, 0.6291),
    "CDDFuse": (0.8927, 0.9496, 0.6031),
    "EMMA": (0.8894, 0.9502, 0.6192),
    "Text-IF": (0.8951, 0.9517, 0.6148),
    "TTD": (0.8888, 0.9497, 0.6252),
    "Text-DiFuse": (0.8742, 0.9394, 0.5964),
    "FusionBooster": (0.8925, 0.9502, 0.6245),
    "Dream-IF": (0.9041, 0.9543, 0.6327),
}
"""Method -> (recall, mAP@.5, mAP@.5:.95) of a detector trained on LLVIP's fused images."""

TABLE_5_NOTE = (
    f"Rows that begin with paper: Table 5 of {SOURCE}, YOLOv11 on LLVIP; the paper gives neither its settings nor "
    "the model of the family. The distance is between different detectors, and on other sets between different images. "
    "The paper has no rows for the sources alone. They belong here, since the authors of LLVIP report an infrared-only "
    "detector above every fused row of the paper."
)
