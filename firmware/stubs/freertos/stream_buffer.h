/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#ifndef INC_FREERTOS_H
#error "freertos/FreeRTOS.h comes first"
#endif
typedef struct StreamBufferDef_t *StreamBufferHandle_t;
size_t xStreamBufferSend(StreamBufferHandle_t xStreamBuffer, const void *pvTxData, size_t xDataLengthBytes,
                         TickType_t xTicksToWait);
size_t xStreamBufferReceive(StreamBufferHandle_t xStreamBuffer, void *pvRxData, size_t xBufferLengthBytes,
                            TickType_t xTicksToWait);
size_t xStreamBufferSpacesAvailable(StreamBufferHandle_t xStreamBuffer);
BaseType_t xStreamBufferReset(StreamBufferHandle_t xStreamBuffer);
