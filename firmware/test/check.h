/* SPDX-License-Identifier: Apache-2.0 */
/** A very small test harness: CHECK notes a failure and goes on; TEST names what holds. */
#ifndef CHECK_H
#define CHECK_H

#include <stdbool.h>

void check(bool holds, const char *text, const char *file, int line);
void test_name(const char *name);

#define CHECK(condition) check((condition), #condition, __FILE__, __LINE__)

typedef void (*suite_t)(void);
void text_tests(void);
void json_tests(void);
void console_tests(void);
void settings_tests(void);
void session_tests(void);
void repair_tests(void);
void talk_tests(void);
void turn_tests(void);
void load_tests(void);
void storm_tests(void);
void own_tools_tests(void);
void away_tests(void);
void replay_tests(void);

#endif
