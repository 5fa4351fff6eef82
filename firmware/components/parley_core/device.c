/* SPDX-License-Identifier: Apache-2.0 */
/** Light, volume, microphone and door, and the figures of the sound. */
#include "parley_core_private.h"

void parley_device_tell(parley_core_t *core) {
  const parley_device_t *device = &core->device;
  parley_record_begin(core, "device");
  parley_record_flag(core, "light", device->light);
  parley_record_number(core, "red", device->red);
  parley_record_number(core, "green", device->green);
  parley_record_number(core, "blue", device->blue);
  parley_record_number(core, "volume", device->volume);
  parley_record_flag(core, "muted", device->muted);
  parley_record_flag(core, "door", device->door_open);
  parley_record_end(core);
}

void parley_device_change(parley_core_t *core, const parley_device_t *device) {
  core->device = *device;
  core->port->device_apply(core->port->ctx, &core->device);
  parley_device_tell(core);
}

void parley_media_tell(parley_core_t *core, const parley_media_t *media) {
  parley_record_begin(core, "media");
  parley_record_number(core, "up_bps", media->up_bps);
  parley_record_number(core, "down_bps", media->down_bps);
  parley_record_number(core, "loss", media->loss_permille > 1000 ? 1000 : media->loss_permille);
  parley_record_number(core, "jitter_ms", media->jitter_ms);
  parley_record_number(core, "rtt_ms", media->round_trip_ms);
  parley_record_number(core, "underruns", media->underruns);
  parley_record_end(core);
}

/* Hundredths of a decibel as decibels with one decimal. */
static void put_decibel(parley_writer_t *writer, int16_t cdb) {
  int tenths = cdb / 10;
  const char decimal[] = {'.', (char)('0' + (tenths < 0 ? -tenths : tenths) % 10), '\0'};
  parley_put(writer, tenths < 0 ? "-" : "");
  parley_put_number(writer, (tenths < 0 ? -tenths : tenths) / 10);
  parley_put(writer, decimal);
}

static void record_decibel(parley_core_t *core, const char *key, int16_t cdb) {
  parley_record_key(core, key);
  put_decibel(&core->out.writer, cdb);
}

void parley_level_tell(parley_core_t *core, const parley_level_t *level) {
  parley_record_begin(core, "level");
  record_decibel(core, "mic", level->microphone_cdb);
  record_decibel(core, "speaker", level->speaker_cdb);
  record_decibel(core, "echo", level->echo_left_cdb);
  parley_record_end(core);
}

/* ---- `sound`: the loop from speaker to microphone, without a conversation */

void parley_sound_ask(parley_core_t *core, bool for_people) {
  core->sound_for_people = for_people;
  core->port->sound_test(core->port->ctx);
}

static void print_sound(parley_core_t *core, const parley_sound_t *sound) {
  parley_writer_t *line = parley_log_begin(core, sound->delay_ms < 0 ? 'W' : 'I');
  if (sound->delay_ms < 0) {
    parley_put(line, "the microphone did not hear the tone");
  } else {
    parley_put(line, "the tone was heard after ");
    parley_put_number(line, sound->delay_ms);
    parley_put(line, " ms");
  }
  parley_put(line, "; sent ");
  put_decibel(line, sound->tone_cdb);
  parley_put(line, ", heard ");
  put_decibel(line, sound->microphone_cdb);
  parley_put(line, ", left of the echo ");
  put_decibel(line, sound->echo_left_cdb);
  parley_put(line, " dBFS");
  parley_log_end(core);
}

void parley_sound_tell(parley_core_t *core, const parley_sound_t *sound) {
  parley_record_begin(core, "sound");
  parley_record_flag(core, "heard", sound->delay_ms >= 0);
  if (sound->delay_ms >= 0) {
    parley_record_number(core, "delay_ms", sound->delay_ms);
  }
  record_decibel(core, "tone", sound->tone_cdb);
  record_decibel(core, "mic", sound->microphone_cdb);
  record_decibel(core, "echo", sound->echo_left_cdb);
  parley_record_end(core);
  if (core->sound_for_people) {
    print_sound(core, sound);
  }
}
