/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "esp_heap_caps.h"
#include "freertos/FreeRTOS.h"
#include "freertos/event_groups.h"
#include "freertos/queue.h"
#include "freertos/stream_buffer.h"
#include "freertos/task.h"
BaseType_t xTaskCreatePinnedToCoreWithCaps(TaskFunction_t pvTaskCode, const char *const pcName,
                                           const uint32_t usStackDepth, void *const pvParameters,
                                           UBaseType_t uxPriority, TaskHandle_t *const pvCreatedTask,
                                           const BaseType_t xCoreID, UBaseType_t uxMemoryCaps);
QueueHandle_t xQueueCreateWithCaps(UBaseType_t uxQueueLength, UBaseType_t uxItemSize, UBaseType_t uxMemoryCaps);
StreamBufferHandle_t xStreamBufferCreateWithCaps(size_t xBufferSizeBytes, size_t xTriggerLevelBytes,
                                                 UBaseType_t uxMemoryCaps);
