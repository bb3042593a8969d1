variable "name" {
  description = "The name of the user pool, and the prefix of the function's."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,39}$", var.name))
    error_message = "The name is 1 to 40 of a-z, 0-9 and '-', and begins with a letter."
  }
}

variable "domain" {
  description = "The public host name of the chat. https://DOMAIN/ is the redirect address."
  type        = string

  validation {
    condition     = can(regex("^([a-z0-9]([a-z0-9-]*[a-z0-9])?\\.)+[a-z]{2,}$", var.domain))
    error_message = "The domain is a host name in lower case, without scheme and path."
  }
}

variable "login_prefix" {
  description = "The first part of the host name of Cognito's sign-in page: PREFIX.auth.REGION.amazoncognito.com. It must be free in the region."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", var.login_prefix)) && !can(regex("aws|amazon|cognito", var.login_prefix))
    error_message = "The prefix is 1 to 63 of a-z, 0-9 and '-', and contains none of 'aws', 'amazon', 'cognito'."
  }
}

variable "self_registration" {
  description = "Whether people can make an account themselves. If false, an administrator makes accounts in Cognito."
  type        = bool
  default     = false
}

variable "admin_group" {
  description = "The group of the pool whose members are admins in Crowbar: [auth.oidc] admin_group."
  type        = string
  default     = "crowbar-admins"
}

variable "hook_url" {
  description = <<-EOT
    The whole address of the hook of kind `cognito`: https://DOMAIN and the path that `crowbar hooks add cognito --kind cognito`
    prints. Without it ("") there is no function, and users appear in the chat when they sign in for the first time.
  EOT
  type        = string
  default     = ""
  sensitive   = true

  validation {
    condition     = var.hook_url == "" || can(regex("^https://[^/?#]+/hooks/[^/?#]+$", var.hook_url))
    error_message = "The hook's address begins with https:// and has the path /hooks/TOKEN."
  }
}

variable "log_days" {
  description = "Days that the function's log is kept."
  type        = number
  default     = 365

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731], var.log_days)
    error_message = "CloudWatch accepts 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545 or 731 days."
  }
}

variable "tags" {
  description = "Tags of all resources."
  type        = map(string)
  default     = {}
}
