"""From what a model gives to what a picture needs: functions of tensors and of a callable model."""
