"""The settings of stages.merge by what they are about, the headings of its help."""

HEADINGS = {
    "mask": ("mask_mode", "erode", "blur", "smooth_mask", "mask_model"),
    "colour": ("mode", "masked_hist_match", "hist_match_threshold", "color_transfer", "smooth_color"),
    "face": (
        "output_face_scale", "motion_blur_power", "super_resolution_power", "upscaler", "sharpen_mode",
        "blursharpen_amount", "morph",
    ),
    "frame": ("image_denoise_power", "bicubic_degrade_power", "color_degrade_power"),
    "with --stream": ("codec", "quality", "bits", "alpha", "hardware", "sound", "input"),
    "speed": ("device", "precision", "batch_size", "workers"),
}  # fmt: skip
