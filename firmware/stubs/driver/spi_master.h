/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "esp_err.h"
#define DMA_ATTR
typedef enum { SPI1_HOST, SPI2_HOST, SPI3_HOST } spi_host_device_t;
typedef enum { SPI_DMA_DISABLED = 0, SPI_DMA_CH_AUTO = 3 } spi_dma_chan_t;
#define SPI_DEVICE_3WIRE      (1 << 2)
#define SPI_DEVICE_HALFDUPLEX (1 << 4)
#define SPI_TRANS_USE_RXDATA  (1 << 2)
typedef struct {
  int mosi_io_num, miso_io_num, sclk_io_num, quadwp_io_num, quadhd_io_num;
  int max_transfer_sz;
} spi_bus_config_t;
typedef struct {
  uint8_t command_bits, address_bits, dummy_bits, mode;
  int clock_speed_hz;
  int spics_io_num;
  uint32_t flags;
  int queue_size;
} spi_device_interface_config_t;
typedef struct {
  uint32_t flags;
  uint16_t cmd;
  uint64_t addr;
  size_t length;
  size_t rxlength;
  void *user;
  union {
    const void *tx_buffer;
    uint8_t tx_data[4];
  };
  union {
    void *rx_buffer;
    uint8_t rx_data[4];
  };
} spi_transaction_t;
typedef struct spi_device_t *spi_device_handle_t;
esp_err_t spi_bus_initialize(spi_host_device_t host_id, const spi_bus_config_t *bus_config, spi_dma_chan_t dma_chan);
esp_err_t spi_bus_add_device(spi_host_device_t host_id, const spi_device_interface_config_t *dev_config,
                             spi_device_handle_t *handle);
esp_err_t spi_bus_remove_device(spi_device_handle_t handle);
esp_err_t spi_device_polling_transmit(spi_device_handle_t handle, spi_transaction_t *trans_desc);
