variable "name" {
  description = "The name of the instance, and the prefix of the other names."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,39}$", var.name))
    error_message = "The name is 1 to 40 of a-z, 0-9 and '-', and begins with a letter."
  }
}

variable "vpc_id" {
  description = "The VPC. It needs an internet gateway, also if the instance uses none: CloudFront's VPC origins require it."
  type        = string
}

variable "subnet_id" {
  description = "A private subnet with a route to the internet (NAT), for packages, AWS and the networks that plugins talk to."
  type        = string
}

variable "availability_zone" {
  description = "The availability zone of the subnet. The volume is made there."
  type        = string
}

variable "vpc_cidr" {
  description = "The address range from which CloudFront's connections come: that of the VPC. Crowbar believes forwarding headers from there."
  type        = string

  validation {
    condition     = can(cidrnetmask(var.vpc_cidr))
    error_message = "The range is one of IPv4, as 10.0.0.0/16."
  }
}

variable "instance_type" {
  description = "The instance type. It must fit `architecture`."
  type        = string
  default     = "t3.small"
}

variable "architecture" {
  description = "The processor of the instance and the release: amd64 or arm64."
  type        = string
  default     = "amd64"

  validation {
    condition     = contains(["amd64", "arm64"], var.architecture)
    error_message = "The architecture is amd64 or arm64."
  }
}

variable "volume_size" {
  description = "GiB of the volume for the log, accounts and views."
  type        = number
  default     = 20

  validation {
    condition     = var.volume_size >= 1 && var.volume_size <= 16384
    error_message = "The volume has 1 to 16384 GiB."
  }
}

variable "snapshot_days" {
  description = "How many daily snapshots of the volume are kept."
  type        = number
  default     = 14

  validation {
    condition     = var.snapshot_days >= 1 && var.snapshot_days <= 1000
    error_message = "1 to 1000 snapshots are kept."
  }
}

variable "release" {
  description = "The archive with Crowbar's programs (docs/deploy-aws.md): its address as s3://BUCKET/KEY, and its SHA-256 in hex."
  type = object({
    uri    = string
    sha256 = string
  })

  validation {
    condition     = can(regex("^s3://[a-z0-9.-]+/[A-Za-z0-9._/+-]+$", var.release.uri)) && can(regex("^[0-9a-f]{64}$", var.release.sha256))
    error_message = "The release has a uri s3://BUCKET/KEY and a sha256 of 64 hex digits."
  }
}

variable "configuration" {
  description = "The text of crowbar.toml. Write PRIVATE_DNS for the instance's own name in [http] hosts. No secrets: user data is readable on the instance."
  type        = string
}

variable "plugins" {
  description = "Manifests of plugins, by file name without .toml. No secrets."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for name in keys(var.plugins) : can(regex("^[a-z0-9][a-z0-9-]{0,31}$", name))])
    error_message = "A manifest's name is 1 to 32 of a-z, 0-9 and '-'."
  }
}

variable "secrets" {
  description = "Names of SSM parameters (SecureString), by file name. The start writes them to /etc/crowbar/secrets, and the server reads them as /run/credentials/crowbar.service/secrets_FILE."
  type        = map(string)
  default     = {}

  validation {
    condition = alltrue([
      for file, parameter in var.secrets : can(regex("^[a-z0-9][a-z0-9._-]{0,63}$", file)) && can(regex("^/[A-Za-z0-9/_.-]+$", parameter))
    ])
    error_message = "A secret is a file name and the name of an SSM parameter that begins with '/'."
  }
}

variable "policies" {
  description = "Policies of the instance's role, as JSON by name: the outputs `publisher_policy` of the modules site and queues."
  type        = map(string)
  default     = {}
}

variable "egress_ports" {
  description = "TCP ports that the instance may connect to anywhere."
  type        = list(number)
  default     = [80, 443, 6697]
}

variable "ssh_security_groups" {
  description = "Security groups that may connect to port 22, by name, such as that of an EC2 Instance Connect endpoint."
  type        = map(string)
  default     = {}
}

variable "key_name" {
  description = "The name of an EC2 key pair for ssh, or \"\" for none."
  type        = string
  default     = ""
}

variable "tags" {
  description = "Tags of all resources."
  type        = map(string)
  default     = {}
}
