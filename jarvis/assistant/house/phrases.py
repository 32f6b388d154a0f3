"""The sentences about the home's things, each with the skill that does it or answers it."""

from __future__ import annotations

from jarvis.assistant.house import lights as lights
from jarvis.assistant.house import media as media
from jarvis.assistant.house import questions as questions
from jarvis.assistant.house import skills as skills
from jarvis.assistant.house import weather as weather
from jarvis.assistant.house.questions import NOT_CONNECTED
from jarvis.assistant.house.skills import Skill, spoken
from jarvis.assistant.skills.questions import NO_PLAYER

SKILLS: dict[str, Skill] = {
    "home_turn_on": spoken(skills.turn_on),
    "home_turn_off": spoken(skills.turn_off),
    "light_set": spoken(lights.set_light),
    "light_dim": spoken(lights.dim),
    "light_brighten": spoken(lights.brighten),
    "home_open": spoken(skills.open_it),
    "home_close": spoken(skills.close_it),
    "home_lock": spoken(skills.lock),
    "home_unlock": spoken(skills.unlock),
    "climate_set": spoken(skills.set_temperature),
    "climate_warmer": spoken(skills.warmer),
    "climate_cooler": spoken(skills.cooler),
    "home_scene": spoken(skills.scene),
    "media_pause": spoken(media.pause, away=NO_PLAYER),
    "media_resume": spoken(media.resume, away=NO_PLAYER),
    "media_play": spoken(media.resume, away=NO_PLAYER),
    "media_next": spoken(media.following, away=NO_PLAYER),
    "media_previous": spoken(media.previous, away=NO_PLAYER),
    "media_stop": spoken(media.stop, away=NO_PLAYER),
    "media_what": spoken(media.what_plays, away=NO_PLAYER),
    "weather": weather.weather,
    "home_state": spoken(questions.tell_state, away=NOT_CONNECTED),
    "home_which": spoken(questions.which_are, away=NOT_CONNECTED),
    "climate_tell": spoken(questions.tell_temperature, away=NOT_CONNECTED),
}
