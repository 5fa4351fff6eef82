/* SPDX-License-Identifier: Apache-2.0 */
/** The commands: words of a line, one table, one function each. Replies never quote what was typed. */
#include "parley_core_private.h"

typedef struct {
  const char *at[PARLEY_WORDS_MAX];
  size_t count;
} words_t;

/* ---- words: spaces part them, "…" holds spaces, \" and \\ inside it; done in place */

static char *quoted(char *at, char **end) {
  char *out = at;
  while (*at != '"') {
    if (*at == '\\' && (at[1] == '"' || at[1] == '\\')) {
      at++;
    }
    if (*at == '\0') {
      return NULL;
    }
    *out++ = *at++;
  }
  *end = out;
  return at + 1;
}

static const char *split(char *at, words_t *words) {
  words->count = 0;
  for (;;) {
    while (*at == ' ') {
      at++;
    }
    if (*at == '\0') {
      return NULL;
    }
    if (words->count == PARLEY_WORDS_MAX) {
      return "too many words; \"quotes\" hold spaces";
    }
    char *start = at, *end = at;
    if (*at == '"') {
      start = at + 1;
      at = quoted(start, &end);
      if (at == NULL) {
        return "the closing quote is missing";
      }
      if (*at != ' ' && *at != '\0') {
        return "a space follows the closing quote";
      }
    } else {
      while (*at != ' ' && *at != '\0') {
        at++;
      }
      end = at;
    }
    words->at[words->count++] = start;
    bool last = *at == '\0';
    *end = '\0';
    if (last) {
      return NULL;
    }
    at++;
  }
}

/* ---- one function a command: NULL or "…" is success, with false a reason */

typedef struct {
  bool ok;
  const char *text;
} answer_t;

static answer_t yes(const char *text) {
  return (answer_t){true, text};
}

static answer_t no(const char *text) {
  return (answer_t){false, text};
}

static answer_t do_start(parley_core_t *core, const words_t *words) {
  (void)words;
  const char *problem = parley_session_start(core);
  return problem == NULL ? yes("") : no(problem);
}

static answer_t do_stop(parley_core_t *core, const words_t *words) {
  (void)words;
  parley_session_stop(core, PARLEY_THEN_IDLE);
  return yes("");
}

static answer_t do_load(parley_core_t *core, const words_t *words) {
  int64_t every_s = -1;
  if (words->count == 2 && !parley_parse_number(words->at[1], 0, 3600, &every_s)) {
    return no("i takes seconds from 0 to 3600");
  }
  parley_load_ask(core, every_s, !core->console.numbered);
  return yes("");
}

static answer_t do_wifi(parley_core_t *core, const words_t *words) {
  bool keep = parley_text_equal(words->at[1], "-s");
  size_t first = keep ? 2 : 1;
  if (first >= words->count || words->count - first > 2) {
    return no("wifi [-s] SSID [PASSWORD]");
  }
  parley_chars_t ssid = parley_chars(words->at[first]);
  const char *password = first + 1 < words->count ? words->at[first + 1] : "";
  parley_chars_t secret = parley_chars(password);
  if (parley_chars_empty(ssid) || ssid.end - ssid.at > 32) {
    return no("a Wi-Fi name has 1 to 32 bytes");
  }
  if (secret.end - secret.at > 64) {
    return no("a Wi-Fi password has at most 64 bytes");
  }
  if (keep) {
    const char *problem = parley_settings_set(core, "wifi_ssid", ssid.at);
    problem = problem == NULL ? parley_settings_set(core, "wifi_psw", password) : problem;
    if (problem != NULL) {
      return no(problem);
    }
  }
  parley_wifi_join(core, ssid.at, password);
  return yes("");
}

static answer_t do_text(parley_core_t *core, const words_t *words) {
  if (core->session.state != PARLEY_LIVE) {
    return no("no session");
  }
  if (*words->at[1] == '\0') {
    return no("the text is empty");
  }
  parley_talk_say(core, words->at[1]);
  return yes("");
}

static answer_t do_volume(parley_core_t *core, const words_t *words) {
  int64_t percent;
  if (!parley_parse_number(words->at[1], 0, 100, &percent)) {
    return no("vol takes 0 to 100");
  }
  parley_device_t device = core->device;
  device.volume = (uint8_t)percent;
  parley_device_change(core, &device);
  return yes("");
}

static answer_t do_mute(parley_core_t *core, const words_t *words) {
  int64_t on;
  if (!parley_parse_number(words->at[1], 0, 1, &on)) {
    return no("mute takes 0 or 1");
  }
  parley_device_t device = core->device;
  device.muted = on == 1;
  parley_device_change(core, &device);
  return yes("");
}

static answer_t do_scan(parley_core_t *core, const words_t *words) {
  (void)words;
  core->wifi.scan_for_people = !core->console.numbered;
  core->port->wifi_scan(core->port->ctx);
  return yes("");
}

static answer_t do_cfg(parley_core_t *core, const words_t *words) {
  (void)words;
  parley_settings_print(core);
  return yes("");
}

static answer_t do_set(parley_core_t *core, const words_t *words) {
  const char *problem = parley_settings_set(core, words->at[1], words->at[2]);
  if (problem != NULL) {
    return no(problem);
  }
  return parley_text_equal(words->at[1], "volume") ? do_volume(core, &(words_t){{"vol", words->at[2]}, 2})
                                                   : yes("stored; used from the next start");
}

static answer_t do_token(parley_core_t *core, const words_t *words) {
  if (core->session.state != PARLEY_ASK) {
    return no("no token is wanted");
  }
  return parley_session_token(core, words->at[1]) ? yes("") : no("a token starts with ek_ and has 8 to 511 signs");
}

static answer_t do_answer(parley_core_t *core, const words_t *words) {
  const char *problem = parley_tool_answer(core, words->at[1], words->at[2]);
  return problem == NULL ? yes("") : no(problem);
}

static answer_t do_sound(parley_core_t *core, const words_t *words) {
  (void)words;
  if (core->session.state != PARLEY_IDLE && core->session.state != PARLEY_WAITING) {
    return no("a session has the sound; stop it first");
  }
  parley_sound_ask(core, !core->console.numbered);
  return yes("");
}

static answer_t do_hello(parley_core_t *core, const words_t *words) {
  (void)words;
  parley_boot_tell(core, true);
  return yes("");
}

static answer_t do_reboot(parley_core_t *core, const words_t *words) {
  (void)core;
  (void)words;
  return yes("restarting");
}

static answer_t do_help(parley_core_t *core, const words_t *words);

typedef struct {
  const char *name;
  size_t least, most; /* words, the name included */
  answer_t (*run)(parley_core_t *core, const words_t *words);
  const char *usage;
} command_t;

static const command_t commands[] = {
    {"start", 1, 1, do_start, "start: begins a conversation"},
    {"stop", 1, 1, do_stop, "stop: ends it"},
    {"i", 1, 2, do_load, "i [SECONDS]: load once, or again and again; 0 ends it"},
    {"wifi", 2, 4, do_wifi, "wifi [-s] SSID [PASSWORD]: joins a network; -s keeps it"},
    {"text", 2, 2, do_text, "text \"...\": says something without the microphone"},
    {"vol", 2, 2, do_volume, "vol N: loudness, 0 to 100"},
    {"mute", 2, 2, do_mute, "mute 0|1: microphone"},
    {"scan", 1, 1, do_scan, "scan: Wi-Fi networks in reach"},
    {"cfg", 1, 1, do_cfg, "cfg: the settings"},
    {"set", 3, 3, do_set, "set KEY VALUE: stores a setting"},
    {"token", 2, 2, do_token, "token EK: answers the wish for a short-lived secret"},
    {"answer", 3, 3, do_answer, "answer CALL JSON: answers a tool call"},
    {"sound", 1, 1, do_sound, "sound: plays a tone and listens to it"},
    {"hello", 1, 1, do_hello, "hello: the boot record once more"},
    {"reboot", 1, 1, do_reboot, "reboot: starts the board anew"},
    {"help", 1, 1, do_help, "help: this list"},
};
enum { COMMANDS = sizeof commands / sizeof commands[0] };

static answer_t do_help(parley_core_t *core, const words_t *words) {
  (void)words;
  for (size_t i = 0; i < COMMANDS; i++) {
    parley_log(core, 'I', commands[i].usage);
  }
  return yes("");
}

static const command_t *find(const char *name) {
  for (size_t i = 0; i < COMMANDS; i++) {
    if (parley_text_equal(commands[i].name, name)) {
      return &commands[i];
    }
  }
  return NULL;
}

void parley_command_run(parley_core_t *core, char *line) {
  words_t words;
  const char *problem = split(line, &words);
  if (problem != NULL) {
    parley_reply(core, false, problem);
    return;
  }
  if (words.count == 0) {
    if (core->console.numbered) {
      parley_reply(core, false, "no command");
    }
    return;
  }
  const command_t *command = find(words.at[0]);
  if (command == NULL) {
    parley_reply(core, false, "no such command; try help");
    return;
  }
  if (words.count < command->least || words.count > command->most) {
    parley_reply(core, false, command->usage);
    return;
  }
  answer_t answer = command->run(core, &words);
  parley_reply(core, answer.ok, answer.text);
  if (command->run == do_reboot) {
    /* After the reply: nothing comes once the chip restarts. */
    parley_session_stop(core, PARLEY_THEN_RESTART);
  }
}
