/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>
typedef struct mbedtls_ssl_config mbedtls_ssl_config;
typedef struct mbedtls_x509_crt mbedtls_x509_crt;
