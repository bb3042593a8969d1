variable "name" {
  description = "The prefix of all names."
  type        = string
  default     = "crowbar"
}

variable "region" {
  description = "The region of everything but the certificate."
  type        = string
  default     = "eu-central-1"
}

variable "zone" {
  description = "The letter of the availability zone. CloudFront's VPC origins do not exist in every zone of every region."
  type        = string
  default     = "a"

  validation {
    condition     = can(regex("^[a-f]$", var.zone))
    error_message = "The zone is a letter from a to f."
  }
}

variable "domain" {
  description = "The public host name of the chat, as chat.example.org."
  type        = string
}

variable "zone_id" {
  description = "The Route 53 hosted zone of the domain."
  type        = string

  validation {
    condition     = can(regex("^Z[A-Z0-9]+$", var.zone_id))
    error_message = "A hosted zone's id begins with Z."
  }
}

variable "bucket" {
  description = "The name of the bucket for the page and the views."
  type        = string
}

variable "login_prefix" {
  description = "The first part of the host name of Cognito's sign-in page."
  type        = string
}

variable "release" {
  description = "The archive with Crowbar's programs: uri and sha256 (docs/deploy-aws.md)."
  type = object({
    uri    = string
    sha256 = string
  })
}

variable "queues" {
  description = "Queues that get the chat's events; see the module queues."
  type = map(object({
    types    = list(string)
    readers  = list(string)
    function = string
  }))
  default = {
    archive = { types = [], readers = [], function = "" }
  }
}

variable "functions" {
  description = "The ARNs of Lambda functions that crowbar-aws calls and whose answers are commands, by target name."
  type        = map(string)
  default     = {}
}

variable "hook_url" {
  description = "The address of the hook of kind `cognito`; \"\" until it is made."
  type        = string
  default     = ""
  sensitive   = true
}

variable "key_name" {
  description = "The name of an EC2 key pair for ssh through the Instance Connect endpoint, or \"\"."
  type        = string
  default     = ""
}

variable "alarm_topics" {
  description = "The ARNs of SNS topics that alarms go to."
  type        = list(string)
  default     = []
}

variable "tags" {
  description = "Tags of all resources."
  type        = map(string)
  default     = {}
}
