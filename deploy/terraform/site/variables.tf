variable "bucket" {
  description = "The name of the bucket that holds the page and the published views. Bucket names are global."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", var.bucket))
    error_message = "A bucket's name is 3 to 63 of a-z, 0-9 and '-'. Names with dots do not work with TLS."
  }
}

variable "domain" {
  description = "The public host name of the chat, as chat.example.org."
  type        = string

  validation {
    condition     = can(regex("^([a-z0-9]([a-z0-9-]*[a-z0-9])?\\.)+[a-z]{2,}$", var.domain))
    error_message = "The domain is a host name in lower case, without scheme and path."
  }
}

variable "certificate_arn" {
  description = "The ARN of the ACM certificate of `domain`, in us-east-1 (CloudFront reads certificates there only)."
  type        = string

  validation {
    condition     = can(regex("^arn:[a-z-]+:acm:us-east-1:[0-9]{12}:certificate/.+$", var.certificate_arn))
    error_message = "The certificate must be one of ACM in us-east-1."
  }
}

variable "host_arn" {
  description = "The ARN of the instance that runs Crowbar, in a private subnet (module host, output `instance_arn`)."
  type        = string

  validation {
    condition     = can(regex("^arn:[a-z-]+:ec2:[a-z0-9-]+:[0-9]{12}:instance/.+$", var.host_arn))
    error_message = "The host is the ARN of an EC2 instance."
  }
}

variable "host_name" {
  description = "The private DNS name of the instance (module host, output `private_dns`)."
  type        = string
}

variable "host_port" {
  description = "The port on which Crowbar listens."
  type        = number
  default     = 8080

  validation {
    condition     = var.host_port == 80 || var.host_port == 443 || (var.host_port >= 1024 && var.host_port <= 65535)
    error_message = "CloudFront connects to port 80, 443, or 1024 to 65535."
  }
}

variable "page" {
  description = "The folder with the files of the web page. Default: those of this repository."
  type        = string
  default     = ""
}

variable "price_class" {
  description = "The edge locations that CloudFront uses: PriceClass_100, PriceClass_200 or PriceClass_All."
  type        = string
  default     = "PriceClass_100"

  validation {
    condition     = contains(["PriceClass_100", "PriceClass_200", "PriceClass_All"], var.price_class)
    error_message = "The price class is PriceClass_100, PriceClass_200 or PriceClass_All."
  }
}

variable "web_acl_arn" {
  description = "The ARN of a WAF web ACL (scope CLOUDFRONT), or \"\" for none."
  type        = string
  default     = ""
}

variable "tags" {
  description = "Tags of all resources."
  type        = map(string)
  default     = {}
}
