/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The tools of the board, by the names and arguments of Espressif's openai_demo.
 *
 * One call is visible in up to three events and runs once. Its arguments are checked against the definition given to
 * the service; what is wrong with them is told to the model, which can then do better.
 */
#include "parley_core_private.h"

#include <string.h>

enum { ARGUMENTS_MAX = 1024, OUTPUT_ROOM = 128 };

#define FUNCTION(name, description, properties, required)                                                              \
  "{\"type\":\"function\",\"name\":\"" name "\",\"description\":\"" description                                        \
  "\",\"parameters\":{\"type\":\"object\",\"properties\":{" properties "},\"required\":[" required "]}}"
#define YES_NO(name, description) "\"" name "\":{\"type\":\"boolean\",\"description\":\"" description "\"}"
#define WHOLE(name, high)         "\"" name "\":{\"type\":\"integer\",\"minimum\":0,\"maximum\":" high "}"

/* clang-format off */
const char parley_tools_json[] =
    "["
    FUNCTION("SetLightState", "Switches the light on or off and sets its color.",
             YES_NO("LightState", "true: on")
             ",\"LightColor\":{\"type\":\"object\",\"properties\":{"
             WHOLE("red", "255") "," WHOLE("green", "255") "," WHOLE("blue", "255")
             "},\"required\":[\"red\",\"green\",\"blue\"]}",
             "\"LightState\"") ","
    FUNCTION("SetVolume", "Sets the loudness of the speaker in percent.", WHOLE("volume", "100"), "\"volume\"") ","
    FUNCTION("OpenDoor", "Opens or closes the door.", YES_NO("open", "true: open"), "\"open\"")
    "]";
/* clang-format on */

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

static const char *run_tool(parley_core_t *core, parley_chars_t name, parley_chars_t arguments) {
  parley_device_t device = core->device;
  parley_json_t object;
  for (size_t i = 0; i < sizeof tools / sizeof tools[0]; i++) {
    if (!parley_chars_equal(name, tools[i].name)) {
      continue;
    }
    if (!parley_chars_copy(arguments, core->body, ARGUMENTS_MAX)) {
      return "the arguments are too long";
    }
    if (!parley_json_read(parley_chars(core->body), &object) || !parley_json_is_object(object)) {
      return "the arguments are no JSON object";
    }
    const char *problem = tools[i].run(object, &device);
    if (problem == NULL) {
      parley_device_change(core, &device);
    }
    return problem;
  }
  return "there is no such tool";
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

void parley_tool_call(parley_core_t *core, parley_chars_t id, parley_chars_t name, parley_chars_t arguments) {
  char call[PARLEY_ID_ROOM] = "";
  char output[OUTPUT_ROOM];
  bool named = !parley_chars_empty(id) && !parley_chars_empty(name);
  /* Events without a name are followed by one that has it. */
  if (!named || !parley_chars_copy(id, call, sizeof call) || seen_before(core, call)) {
    return;
  }
  parley_record_begin(core, "call");
  parley_record_chars(core, "call", parley_chars(call), PARLEY_REASON_ROOM);
  parley_record_chars(core, "name", name, PARLEY_REASON_ROOM);
  parley_record_rest(core, "arguments", arguments);
  parley_record_end(core);

  const char *problem = run_tool(core, name, arguments);
  parley_writer_t writer = parley_writer(output, sizeof output - 1);
  parley_put(&writer, problem == NULL ? "{\"ok\":true}" : "{\"ok\":false,\"error\":");
  if (problem != NULL) {
    parley_put_string(&writer, problem);
    parley_put(&writer, "}");
  }
  output[writer.length] = '\0';

  parley_record_begin(core, "result");
  parley_record_chars(core, "call", parley_chars(call), PARLEY_REASON_ROOM);
  parley_record_chars(core, "name", name, PARLEY_REASON_ROOM);
  parley_record_flag(core, "ok", problem == NULL);
  parley_record_number(core, "ms", 0); /* carried out within one step */
  parley_record_rest(core, "output", parley_chars(output));
  parley_record_end(core);
  parley_talk_output(core, call, output);
}
