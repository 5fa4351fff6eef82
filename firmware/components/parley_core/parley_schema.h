/* SPDX-License-Identifier: Apache-2.0 */
/* Made from app/core/schema.py by firmware/tools/generate_schema.py: change it there, then
   run `./dev generate`. */
/* clang-format off */
#ifndef PARLEY_SCHEMA_H
#define PARLEY_SCHEMA_H

#include "parley_core.h"

typedef enum {
  PARLEY_KEY_SCHEMA,
  PARLEY_KEY_CFG_ID,
  PARLEY_KEY_BOARD,
  PARLEY_KEY_DEV_NAME,
  PARLEY_KEY_WIFI_SSID,
  PARLEY_KEY_WIFI_PSW,
  PARLEY_KEY_API_KEY,
  PARLEY_KEY_TOKEN_MODE,
  PARLEY_KEY_BASE_URL,
  PARLEY_KEY_MODEL,
  PARLEY_KEY_VOICE,
  PARLEY_KEY_LANG,
  PARLEY_KEY_STT_MODEL,
  PARLEY_KEY_INSTR,
  PARLEY_KEY_GREETING,
  PARLEY_KEY_VOLUME,
  PARLEY_KEY_AEC,
  PARLEY_KEY_MIC_GAIN,
  PARLEY_KEY_AUTO_START,
  PARLEY_KEY_TOOLS0,
  PARLEY_KEY_TOOLS1,
  PARLEY_KEY_TOOLS2,
  PARLEY_KEY_TOOLS3,
  PARLEY_KEY_COUNT,
} parley_key_t;

/** The settings as they are used; texts end with NUL. */
typedef struct {
  int64_t schema;
  char cfg_id[36 + 1];
  char board[15 + 1];
  char dev_name[32 + 1];
  char wifi_ssid[32 + 1];
  char wifi_psw[64 + 1];
  char api_key[256 + 1];
  int64_t token_mode;
  char base_url[128 + 1];
  char model[64 + 1];
  char voice[64 + 1];
  char lang[8 + 1];
  char stt_model[64 + 1];
  char instr[2000 + 1];
  char greeting[200 + 1];
  int64_t volume;
  int64_t aec;
  int64_t mic_gain;
  int64_t auto_start;
  char tools0[1500 + 1];
  char tools1[1500 + 1];
  char tools2[1500 + 1];
  char tools3[1500 + 1];
} parley_settings_t;

typedef struct {
  const char *key;
  parley_type_t type;
  bool secret;
  int64_t low, high;   /**< of the number, or of the text's length in bytes */
  uint16_t offset;     /**< in parley_settings_t: an int64_t, or char[high + 1] */
  int64_t number;      /**< default */
  const char *text;    /**< default; NULL: a number */
  const char *choices; /**< "a|b"; NULL: any */
} parley_setting_t;

static const parley_setting_t parley_schema[] = {
  {"schema", PARLEY_U16, false, 1, 1, offsetof(parley_settings_t, schema), 1, NULL, NULL},
  {"cfg_id", PARLEY_STR, false, 0, 36, offsetof(parley_settings_t, cfg_id), 0, "", NULL},
  {"board", PARLEY_STR, false, 0, 15, offsetof(parley_settings_t, board), 0, "", "|korvo2|atoms3r|emulator"},
  {"dev_name", PARLEY_STR, false, 0, 32, offsetof(parley_settings_t, dev_name), 0, "Parley", NULL},
  {"wifi_ssid", PARLEY_STR, false, 0, 32, offsetof(parley_settings_t, wifi_ssid), 0, "", NULL},
  {"wifi_psw", PARLEY_STR, true, 0, 64, offsetof(parley_settings_t, wifi_psw), 0, "", NULL},
  {"api_key", PARLEY_STR, true, 0, 256, offsetof(parley_settings_t, api_key), 0, "", NULL},
  {"token_mode", PARLEY_U8, false, 0, 1, offsetof(parley_settings_t, token_mode), 0, NULL, NULL},
  {"base_url", PARLEY_STR, false, 0, 128, offsetof(parley_settings_t, base_url), 0, "https://api.openai.com/v1", NULL},
  {"model", PARLEY_STR, false, 1, 64, offsetof(parley_settings_t, model), 0, "gpt-realtime-2.1", NULL},
  {"voice", PARLEY_STR, false, 1, 64, offsetof(parley_settings_t, voice), 0, "marin", NULL},
  {"lang", PARLEY_STR, false, 0, 8, offsetof(parley_settings_t, lang), 0, "", NULL},
  {"stt_model", PARLEY_STR, false, 0, 64, offsetof(parley_settings_t, stt_model), 0, "gpt-4o-mini-transcribe", NULL},
  {"instr", PARLEY_STR, false, 0, 2000, offsetof(parley_settings_t, instr), 0, "You are Parley, a friendly voice assistant on a small device. Answer briefly.", NULL},
  {"greeting", PARLEY_STR, false, 0, 200, offsetof(parley_settings_t, greeting), 0, "Greet the user in one short sentence.", NULL},
  {"volume", PARLEY_U8, false, 0, 100, offsetof(parley_settings_t, volume), 60, NULL, NULL},
  {"aec", PARLEY_U8, false, 0, 2, offsetof(parley_settings_t, aec), 1, NULL, NULL},
  {"mic_gain", PARLEY_I8, false, 0, 42, offsetof(parley_settings_t, mic_gain), 30, NULL, NULL},
  {"auto_start", PARLEY_U8, false, 0, 1, offsetof(parley_settings_t, auto_start), 1, NULL, NULL},
  {"tools0", PARLEY_STR, false, 0, 1500, offsetof(parley_settings_t, tools0), 0, "", NULL},
  {"tools1", PARLEY_STR, false, 0, 1500, offsetof(parley_settings_t, tools1), 0, "", NULL},
  {"tools2", PARLEY_STR, false, 0, 1500, offsetof(parley_settings_t, tools2), 0, "", NULL},
  {"tools3", PARLEY_STR, false, 0, 1500, offsetof(parley_settings_t, tools3), 0, "", NULL},
};
_Static_assert(sizeof parley_schema / sizeof parley_schema[0] == PARLEY_KEY_COUNT, "one row for each key");

#endif
