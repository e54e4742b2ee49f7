"""The settings of stages.train by what they are about, the headings of its help."""

# What decides the shapes of the weights and what a face is: chosen once, when the model is new.
FIXED = (
    "arch", "resolution", "ae_dims", "encoder_dims", "decoder_dims", "mask_dims", "inter_dims",
    "morph_factor", "face_type",
)  # fmt: skip
_LOSSES = (
    "masked_training", "eyes_mouth_priority", "blur_out_mask", "true_face_power", "face_style_power",
    "bg_style_power", "gan_power", "gan_patch_size", "gan_dims",
)  # fmt: skip
_DATA = (
    "src", "dst", "pretrain_faces", "pretrain", "random_warp", "random_src_flip", "random_dst_flip",
    "random_hsv_power", "color_transfer", "uniform_yaw",
)  # fmt: skip
_STEPS = ("learning_rate", "optimizer", "lr_dropout", "lr_cosine", "clip_gradients", "dfl_exact")
_SPEED = ("batch_size", "accumulate", "checkpointing", "compile", "device", "precision", "plan")
_SAVING = ("save_minutes", "keep", "preview_seconds", "timelapse", "tensorboard")
_MEASURING = ("held_back", "quality_minutes", "face_models")
HEADINGS = {
    "model, chosen once": ("model", *FIXED, "base", "seed"),
    "faces": _DATA,
    "losses": _LOSSES,
    "steps": (*_STEPS, "reset_inter"),
    "speed and memory": _SPEED,
    "when to stop": ("iterations", "minutes", "stop_when_flat", "recipe"),
    "saving and previews": _SAVING,
    "measuring": _MEASURING,
}
