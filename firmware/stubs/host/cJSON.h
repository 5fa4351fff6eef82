/* SPDX-License-Identifier: Apache-2.0 */
/* esp-sr's headers name the type and use nothing of it that the port sees. */
#pragma once
typedef struct cJSON cJSON;
