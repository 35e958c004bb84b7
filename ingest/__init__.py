import os

# onnxruntime writes an id of this computer and sends events to its maker from its import on, unless this is set.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
