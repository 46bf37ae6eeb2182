// Each resource adds its operations. One file a resource.
#pragma once

#include "vas/api/api_call.h"
#include "vas/api/directory_service.h"
#include "vas/api/gateway_service.h"
#include "vas/api/platform_service.h"
#include "vas/api/session_service.h"

namespace vas::api {

// /calls/{domain}/…: the Registration-Free Dialing API.
void add_session_operations(Operations& operations, SessionService& service);
void add_tenant_operations(Operations& operations, DirectoryService& service);
void add_domain_operations(Operations& operations, DirectoryService& service);
void add_subscriber_operations(Operations& operations, DirectoryService& service);
void add_trunk_operations(Operations& operations, DirectoryService& service);
void add_key_operations(Operations& operations, DirectoryService& service);
// Callbacks that were given up.
void add_dead_letter_operations(Operations& operations, PlatformService& service);
// Bans and message traces.
void add_gateway_operations(Operations& operations, GatewayService& service);
// Health, metrics, this node's addresses, the OpenAPI document.
void add_platform_operations(Operations& operations, PlatformService& service);

}  // namespace vas::api
