# SPDX-License-Identifier: Apache-2.0
# The one list of sources, for ESP-IDF and for the host.
set(PARLEY_CORE_SOURCES
    commands.c
    console.c
    core.c
    device.c
    items.c
    json.c
    load.c
    own_tools.c
    realtime.c
    record.c
    session.c
    settings.c
    signalling.c
    states.c
    talk.c
    text.c
    tools.c
    turns.c
    wifi.c
)
