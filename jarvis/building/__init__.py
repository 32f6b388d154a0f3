"""A node from its settings, in steps that each use the ones before: what is kept (`records`), how it reaches its home
(`links`), who belongs to the home (`membership`), how it talks with people (`voice`), and all of it joined (`whole`).
Only here concrete classes are chosen; nothing here runs."""
