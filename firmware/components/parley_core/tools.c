/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Tool calls. The tools of the board have the names and arguments of Espressif's openai_demo; those that `cfg` defines
 * are carried out by the computer, which answers with a command.
 *
 * One call is visible in up to three events and runs once. The arguments of the board's tools are checked against the
 * definition given to the service; what is wrong with a call is told to the model, which can then do better.
 */
#include "parley_core_private.h"

#include <string.h>

enum {
  ARGUMENTS_MAX = 1024,
  OUTPUT_ROOM = 128,
  ANSWER_MS = 20000, /* so long the computer may take */
};

#define FUNCTION(name, description, properties, required)                                                              \
  "{\"type\":\"function\",\"name\":\"" name "\",\"description\":\"" description                                        \
  "\",\"parameters\":{\"type\":\"object\",\"properties\":{" properties "},\"required\":[" required "]}}"
#define YES_NO(name, description) "\"" name "\":{\"type\":\"boolean\",\"description\":\"" description "\"}"
#define WHOLE(name, high)         "\"" name "\":{\"type\":\"integer\",\"minimum\":0,\"maximum\":" high "}"

/* clang-format off */
static const char definitions[] =
    FUNCTION("SetLightState", "Switches the light on or off and sets its color.",
             YES_NO("LightState", "true: on")
             ",\"LightColor\":{\"type\":\"object\",\"properties\":{"
             WHOLE("red", "255") "," WHOLE("green", "255") "," WHOLE("blue", "255")
             "},\"required\":[\"red\",\"green\",\"blue\"]}",
             "\"LightState\"") ","
    FUNCTION("SetVolume", "Sets the loudness of the speaker in percent.", WHOLE("volume", "100"), "\"volume\"") ","
    FUNCTION("OpenDoor", "Opens or closes the door.", YES_NO("open", "true: open"), "\"open\"");
/* clang-format on */

/* The request for a secret: quotes in the instructions take two bytes, so may those in the other texts. */
_Static_assert(PARLEY_BODY_ROOM > 2 * sizeof((parley_settings_t *)0)->instr +
                                      4 * sizeof((parley_settings_t *)0)->tools0 + sizeof definitions + 1200,
               "instructions and tools fit the request");

void parley_tools_put(const parley_core_t *core, parley_writer_t *writer) {
  parley_put(writer, "[");
  parley_put(writer, definitions);
  parley_own_tools_put(&core->kept.value, writer);
  parley_put(writer, "]");
}

/* ---- one function a tool: changes the device, or says what is wrong */

static bool whole_within(parley_json_t object, const char *key, int64_t high, uint8_t *out) {
  int64_t number;
  if (!parley_json_whole(parley_json_get(object, key), &number) || number < 0 || number > high) {
    return false;
  }
  *out = (uint8_t)number;
  return true;
}

static const char *set_light(parley_json_t arguments, parley_device_t *device) {
  parley_json_t color = parley_json_get(arguments, "LightColor");
  if (!parley_json_flag(parley_json_get(arguments, "LightState"), &device->light)) {
    return "LightState has to be true or false";
  }
  if (color.at != color.end &&
      !(whole_within(color, "red", 255, &device->red) && whole_within(color, "green", 255, &device->green) &&
        whole_within(color, "blue", 255, &device->blue))) {
    return "LightColor needs red, green and blue, whole numbers from 0 to 255";
  }
  return NULL;
}

static const char *set_volume(parley_json_t arguments, parley_device_t *device) {
  bool fits = whole_within(arguments, "volume", 100, &device->volume);
  return fits ? NULL : "volume has to be a whole number from 0 to 100";
}

static const char *open_door(parley_json_t arguments, parley_device_t *device) {
  bool fits = parley_json_flag(parley_json_get(arguments, "open"), &device->door_open);
  return fits ? NULL : "open has to be true or false";
}

static const struct {
  const char *name;
  const char *(*run)(parley_json_t arguments, parley_device_t *device);
} tools[] = {{"SetLightState", set_light}, {"SetVolume", set_volume}, {"OpenDoor", open_door}};

bool parley_tool_is_ours(const char *name) {
  for (size_t i = 0; i < sizeof tools / sizeof tools[0]; i++) {
    if (parley_text_equal(tools[i].name, name)) {
      return true;
    }
  }
  return false;
}

/* NULL, or what is wrong. */
static const char *run_tool(parley_core_t *core, const char *name, parley_json_t arguments) {
  parley_device_t device = core->device;
  size_t i = 0;
  while (!parley_text_equal(tools[i].name, name)) {
    i++;
  }
  const char *problem = tools[i].run(arguments, &device);
  if (problem == NULL) {
    parley_device_change(core, &device);
  }
  /* cppcheck-suppress returnDanglingLifetime ; what a tool returns is a literal, never its argument */
  return problem;
}

/* ---- results */

static void tell_result(parley_core_t *core, const parley_asked_t *asked, bool ok, const char *output) {
  parley_record_begin(core, "result");
  parley_record_chars(core, "call", parley_chars(asked->call), PARLEY_REASON_ROOM);
  parley_record_chars(core, "name", parley_chars(asked->name), PARLEY_REASON_ROOM);
  parley_record_flag(core, "ok", ok);
  parley_record_number(core, "ms", (int64_t)(core->now_ms - asked->since_ms));
  (void)parley_record_rest(core, "output", parley_chars(output));
  parley_record_end(core);
}

/* Tells the model and the console; problem: what is wrong, or NULL. */
static void answer(parley_core_t *core, const parley_asked_t *asked, const char *problem) {
  char output[OUTPUT_ROOM];
  parley_writer_t writer = parley_writer(output, sizeof output - 1);
  parley_put(&writer, problem == NULL ? "{\"ok\":true}" : "{\"ok\":false,\"error\":");
  if (problem != NULL) {
    parley_put_string(&writer, problem);
    parley_put(&writer, "}");
  }
  output[writer.length] = '\0';
  tell_result(core, asked, problem == NULL, output);
  parley_talk_output(core, asked->call, output);
}

/* ---- the computer's part */

static parley_asked_t *find_asked(parley_core_t *core, const char *call) {
  for (size_t i = 0; i < PARLEY_ASKED; i++) {
    if (parley_text_equal(core->talk.asked[i].call, call)) {
      return &core->talk.asked[i];
    }
  }
  return NULL;
}

const char *parley_tool_answer(parley_core_t *core, const char *call, const char *output) {
  parley_json_t value;
  bool ok = true;
  parley_asked_t *asked = *call == '\0' ? NULL : find_asked(core, call);
  if (asked == NULL) {
    return "no such call waits";
  }
  if (!parley_json_read(parley_chars(output), &value)) {
    return "the answer is no JSON";
  }
  parley_json_t told = parley_json_get(value, "ok");
  if (!parley_json_flag(told, &ok)) {
    ok = true; /* an answer that does not say so is one */
  }
  tell_result(core, asked, ok, output);
  parley_talk_output(core, asked->call, output);
  asked->call[0] = '\0';
  return NULL;
}

bool parley_tool_waits(const parley_core_t *core) {
  return parley_tool_due(core) != PARLEY_NEVER;
}

uint64_t parley_tool_due(const parley_core_t *core) {
  uint64_t first_ms = PARLEY_NEVER;
  for (size_t i = 0; i < PARLEY_ASKED; i++) {
    const parley_asked_t *asked = &core->talk.asked[i];
    uint64_t due_ms = asked->call[0] == '\0' ? PARLEY_NEVER : asked->since_ms + ANSWER_MS;
    first_ms = due_ms < first_ms ? due_ms : first_ms;
  }
  return first_ms;
}

void parley_tool_tick(parley_core_t *core) {
  for (size_t i = 0; i < PARLEY_ASKED; i++) {
    parley_asked_t *asked = &core->talk.asked[i];
    if (asked->call[0] != '\0' && core->now_ms >= asked->since_ms + ANSWER_MS) {
      answer(core, asked, "the computer did not answer in time");
      asked->call[0] = '\0';
    }
  }
}

void parley_tool_end(parley_core_t *core) {
  for (size_t i = 0; i < PARLEY_ASKED; i++) {
    parley_asked_t *asked = &core->talk.asked[i];
    if (asked->call[0] != '\0') {
      tell_result(core, asked, false, "{\"ok\":false,\"error\":\"the session ended\"}");
      asked->call[0] = '\0';
    }
  }
}

/* ---- calls */

static bool seen_before(parley_core_t *core, const char *call) {
  parley_talk_t *talk = &core->talk;
  for (size_t i = 0; i < PARLEY_CALLS; i++) {
    if (parley_text_equal(talk->calls[i], call)) {
      return true;
    }
  }
  memcpy(talk->calls[talk->next_call++ % PARLEY_CALLS], call, PARLEY_ID_ROOM);
  return false;
}

/* NULL: carried out, or the computer does it and *later is set; else what is wrong. whole: the computer has seen all.
 */
static const char *carry_out(parley_core_t *core, const parley_asked_t *asked, parley_chars_t arguments, bool whole,
                             bool *later) {
  parley_json_t object;
  bool is_ours = parley_tool_is_ours(asked->name);
  if (!is_ours && !parley_own_tool(&core->kept.value, parley_chars(asked->name))) {
    return "there is no such tool";
  }
  if (!parley_chars_copy(arguments, core->body, ARGUMENTS_MAX) || !whole) {
    return "the arguments are too long";
  }
  if (!parley_json_read(parley_chars(core->body), &object) || !parley_json_is_object(object)) {
    return "the arguments are no JSON object";
  }
  if (is_ours) {
    return run_tool(core, asked->name, object);
  }
  parley_asked_t *place = find_asked(core, "");
  if (place == NULL) {
    return "too many calls wait for an answer";
  }
  *place = *asked;
  *later = true;
  return NULL;
}

void parley_tool_call(parley_core_t *core, parley_chars_t id, parley_chars_t name, parley_chars_t arguments) {
  parley_asked_t asked = {.since_ms = core->now_ms};
  bool later = false;
  bool named = !parley_chars_empty(id) && !parley_chars_empty(name);
  /* Events without a name are followed by one that has it. */
  if (!named || !parley_chars_copy(id, asked.call, sizeof asked.call) || seen_before(core, asked.call)) {
    return;
  }
  (void)parley_chars_copy(name, asked.name, sizeof asked.name); /* cut: no tool has such a name */
  parley_record_begin(core, "call");
  parley_record_chars(core, "call", parley_chars(asked.call), PARLEY_REASON_ROOM);
  parley_record_chars(core, "name", name, PARLEY_REASON_ROOM);
  bool whole = parley_record_rest(core, "arguments", arguments);
  parley_record_end(core);
  const char *problem = carry_out(core, &asked, arguments, whole, &later);
  if (!later) {
    answer(core, &asked, problem);
  }
}
