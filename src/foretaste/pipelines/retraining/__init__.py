"""The loop: what is merged, trained, guarded, promoted and watched without a person awake."""
