"""Numbers that the paper prints, to stand beside ours."""

__all__ = ["SOURCE", "TABLE_4", "TABLE_4_NOTE"]

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
    "reads EI, AG, PSNR, Qabf, VIFF. That must be a slip: its last row is, digit for digit, the LLVIP row of Dream-IF "
    "in Table 1, whose header reads AG, SF, Qabf, SSIM, VIFF. These names are used here. The paper's 70 test pairs and "
    "the size at which it scored them are not public, so compare how rows differ rather than how high they are."
)
