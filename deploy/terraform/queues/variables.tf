variable "name" {
  description = "Prefix of all names: the topic is NAME.fifo, a queue is NAME-QUEUE.fifo."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,39}$", var.name))
    error_message = "The name is 1 to 40 of a-z, 0-9 and '-', and begins with a letter."
  }
}

variable "queues" {
  description = <<-EOT
    The queues that subscribe to the topic, by name. `types` lists the event types that a queue receives (empty: all).
    `readers` lists the ARNs of roles or accounts that may receive from it, also of other accounts. `function` is the ARN of a
    Lambda function that AWS calls with the messages ("": none); its role must be among the readers or allowed by IAM.
  EOT
  type = map(object({
    types    = list(string)
    readers  = list(string)
    function = string
  }))
  default = {}

  validation {
    condition     = alltrue([for name in keys(var.queues) : can(regex("^[a-z0-9][a-z0-9-]{0,24}$", name))])
    error_message = "A queue's name is 1 to 25 of a-z, 0-9 and '-', and begins with a letter or digit."
  }

  validation {
    condition     = alltrue(flatten([for queue in values(var.queues) : [for type in queue.types : can(regex("^[A-Z_]+$", type))]]))
    error_message = "Event types are written in capitals, as MESSAGE_SENT (docs/domain.md)."
  }

  validation {
    condition = alltrue(flatten([
      for queue in values(var.queues) : [for reader in queue.readers : can(regex("^arn:[a-z-]+:iam::[0-9]{12}:(root|(role|user)/.+)$", reader))]
    ]))
    error_message = "A reader is the ARN of a role, a user, or an account's root (arn:aws:iam::123456789012:root)."
  }

  validation {
    condition = alltrue([
      for queue in values(var.queues) : queue.function == "" || can(regex("^arn:[a-z-]+:lambda:[a-z0-9-]+:[0-9]{12}:function:.+$", queue.function))
    ])
    error_message = "A function is the whole ARN of a Lambda function, or \"\"."
  }
}

variable "publishers" {
  description = "The ARNs of roles of other accounts that may publish to the topic. Roles of this account need the output `publisher_policy` instead."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.publishers : can(regex("^arn:[a-z-]+:iam::[0-9]{12}:(root|role/.+)$", arn))])
    error_message = "A publisher is the ARN of a role, or of an account's root."
  }
}

variable "functions" {
  description = "The ARNs of Lambda functions that crowbar-aws invokes directly. They are added to the output `publisher_policy`."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.functions : can(regex("^arn:[a-z-]+:lambda:[a-z0-9-]+:[0-9]{12}:function:.+$", arn))])
    error_message = "A function is the whole ARN of a Lambda function."
  }
}

variable "max_receives" {
  description = "How often a message is received before it goes to the dead-letter queue."
  type        = number
  default     = 5

  validation {
    condition     = var.max_receives >= 1 && var.max_receives <= 1000
    error_message = "The number of receives is 1 to 1000."
  }
}

variable "visibility_timeout" {
  description = "Seconds that a received message is hidden from other receivers. At least six times the timeout of a function that reads the queue."
  type        = number
  default     = 180

  validation {
    condition     = var.visibility_timeout >= 0 && var.visibility_timeout <= 43200
    error_message = "The visibility timeout is 0 to 43200 seconds."
  }
}

variable "alarm_topics" {
  description = "The ARNs of SNS topics that are told when a dead-letter queue is not empty. Standard topics, not the one of this module."
  type        = list(string)
  default     = []
}

variable "tags" {
  description = "Tags of all resources."
  type        = map(string)
  default     = {}
}
