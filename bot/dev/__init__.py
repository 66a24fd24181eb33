"""What runs only on a developer's machine, behind DOORSTEP_DEV: the phone simulator and the providers' stand-ins."""
