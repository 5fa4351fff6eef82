/* SPDX-License-Identifier: Apache-2.0 */
/* Between audio.c, microphone.c, speaker.c and the boards only. */
#ifndef PARLEY_SOUND_H
#define PARLEY_SOUND_H

#include "parley_port.h"
#include "rules.h"

/** The board's sound, or silence at the same pace where it has none. */
void parley_sound_capture(int16_t *frame);
void parley_sound_play(const int16_t *samples, size_t count);

esp_err_t parley_speaker_start(void);
void parley_speaker_clear(void);
bool parley_speaker_hear(const parley_packet_t *packet);
/** Something was heard from the speaker within the last `tail_ms`. */
bool parley_speaker_was_loud(uint32_t tail_ms);
int16_t parley_speaker_cdb(void);
parley_audio_count_t parley_speaker_count(void);

esp_err_t parley_microphone_start(void);
void parley_microphone_begin(parley_echo_t echo, int8_t gain_db);
void parley_microphone_end(void);
bool parley_microphone_take(parley_packet_t *packet);
void parley_microphone_mute(bool muted);

esp_err_t parley_sound_test_start(void);
/** A peer takes the sound. */
void parley_sound_test_end(void);

#endif
