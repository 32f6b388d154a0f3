"""Microphones and loudspeakers; `audio` is the only module that touches one."""
