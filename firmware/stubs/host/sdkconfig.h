/* SPDX-License-Identifier: Apache-2.0 */
/* What a configuration of any board has, as far as headers ask for it; for `tools/typecheck --idf` only. */
#pragma once
#define CONFIG_IDF_TARGET                               "esp32s3"
#define CONFIG_IDF_TARGET_ESP32S3                       1
#define CONFIG_IDF_TARGET_ARCH_XTENSA                   1
#define CONFIG_FREERTOS_HZ                              1000
#define CONFIG_FREERTOS_NUMBER_OF_CORES                 2
#define CONFIG_FREERTOS_IDLE_TASK_STACKSIZE             1536
#define CONFIG_FREERTOS_MAX_TASK_NAME_LEN               16
#define CONFIG_FREERTOS_USE_TRACE_FACILITY              1
#define CONFIG_FREERTOS_GENERATE_RUN_TIME_STATS         1
#define CONFIG_FREERTOS_VTASKLIST_INCLUDE_COREID        1
#define CONFIG_FREERTOS_TASK_NOTIFICATION_ARRAY_ENTRIES 1
#define CONFIG_FREERTOS_THREAD_LOCAL_STORAGE_POINTERS   1
#define CONFIG_FREERTOS_TIMER_TASK_PRIORITY             1
#define CONFIG_FREERTOS_TIMER_QUEUE_LENGTH              10
#define CONFIG_FREERTOS_TIMER_TASK_STACK_DEPTH          2048
#define CONFIG_FREERTOS_QUEUE_REGISTRY_SIZE             0
#define CONFIG_FREERTOS_TASK_CREATE_ALLOW_EXT_MEM       1
#define CONFIG_FREERTOS_ISR_STACKSIZE                   1536
#define CONFIG_FREERTOS_CORETIMER_0                     1
#define CONFIG_LOG_DEFAULT_LEVEL                        3
#define CONFIG_LOG_MAXIMUM_LEVEL                        3
#define CONFIG_LOG_VERSION                              1
#define CONFIG_LOG_TIMESTAMP_SOURCE_RTOS                1
#define CONFIG_SPIRAM                                   1
#define CONFIG_MBEDTLS_CERTIFICATE_BUNDLE               1
#define CONFIG_ESP_HTTP_CLIENT_ENABLE_HTTPS             1
#define CONFIG_ESP_WIFI_STATIC_RX_BUFFER_NUM            6
#define CONFIG_ESP_WIFI_DYNAMIC_RX_BUFFER_NUM           8
#define CONFIG_ESP_WIFI_TX_BUFFER_TYPE                  1
#define CONFIG_ESP_WIFI_DYNAMIC_RX_MGMT_BUF             0
#define CONFIG_ESP_WIFI_RX_MGMT_BUF_NUM_DEF             5
#define CONFIG_ESP_WIFI_RX_BA_WIN                       6
#define CONFIG_ESP_WIFI_ESPNOW_MAX_ENCRYPT_NUM          7
#define CONFIG_ESP_WIFI_MGMT_SBUF_NUM                   32
#define CONFIG_ESP_WIFI_ENABLED                         1
#define CONFIG_LWIP_IPV6                                1
#define CONFIG_LWIP_IPV4                                1
#define CONFIG_ESP_CONSOLE_UART_NUM                     0
#define CONFIG_FREERTOS_RUN_TIME_COUNTER_TYPE_U32       1

/* newlib declares these where glibc does not. */
#include <sys/select.h>
#include <sys/types.h>
#define _SYS_TYPES_FD_SET 1
unsigned long strlcpy(char *to, const char *from, unsigned long size);
